/**
 * Settings that all instances of an application must have alike, since they decide what becomes of a
 * record: each member tells the leader its own, and is told those that the application runs with. Pure.
 *
 * Only names that both sides know are compared: a newer version may have more of them.
 */

/** Values by name. */
export type Agreed = Readonly<Record<string, string>>;

export interface Difference {
  readonly name: string;
  readonly own: string;
  readonly others: string;
}

export interface AgreeingMember {
  readonly processId: string;
  /** Tasks it runs now. */
  readonly active: readonly string[];
  readonly agreed: Agreed;
}

export function difference(own: Agreed, others: Agreed): Difference | undefined {
  for (const [name, value] of Object.entries(own)) {
    const other = others[name];
    if (other !== undefined && other !== value) return { name, own: value, others: other };
  }
  return undefined;
}

/**
 * What counts: what most of those have that run tasks already; before anybody does, most of all. The
 * same for every leader.
 */
export function agreedBy(members: readonly AgreeingMember[]): Agreed {
  const telling = members.filter(({ agreed }) => Object.keys(agreed).length > 0);
  const running = telling.filter(({ active }) => active.length > 0);
  const voters = (running.length > 0 ? running : telling).toSorted((a, b) =>
    a.processId < b.processId ? -1 : 1,
  );
  const votes = Map.groupBy(voters, ({ agreed }) => JSON.stringify(Object.entries(agreed).sort()));
  let most: readonly AgreeingMember[] = [];
  for (const alike of votes.values()) if (alike.length > most.length) most = alike;
  return most[0]?.agreed ?? {};
}
