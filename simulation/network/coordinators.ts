/**
 * Which broker coordinates, as far as clients can tell: after a move a coordinator is elsewhere, and
 * answers nobody who has not asked again where it is. Clients are told apart by their client id.
 */
export type CoordinatorKind = 'transaction' | 'group';

export class Coordinators {
  /** It is on its way, and refuses everything. */
  moving: CoordinatorKind | undefined;
  readonly #moves = { transaction: 0, group: 0 };
  /** By kind and client: after how many moves it has asked last. */
  readonly #known = { transaction: new Map<string, number>(), group: new Map<string, number>() };

  get haveMoved(): boolean {
    return this.#moves.transaction + this.#moves.group > 0;
  }

  move(kind: CoordinatorKind): void {
    this.#moves[kind]++;
    this.moving = kind;
  }

  found(kind: CoordinatorKind, client: string): void {
    this.#known[kind].set(client, this.#moves[kind]);
  }

  isKnownTo(kind: CoordinatorKind, client: string): boolean {
    return (this.#known[kind].get(client) ?? 0) === this.#moves[kind];
  }
}
