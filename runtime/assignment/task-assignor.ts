/**
 * Which member runs which task. Pure and deterministic: every leader decides the same.
 *
 * A1. Every task has exactly one active member; standbys sit on other processes than the active.
 * A2. Balanced: stateful tasks, and all tasks, differ by at most one between any two members.
 * A3. Sticky: a task stays with its previous owner unless A2 forbids; assigning again changes nothing.
 */

export interface AssignableTask {
  readonly id: string;
  readonly isStateful: boolean;
}

/** One stream thread. */
export interface AssignableMember {
  readonly memberId: string;
  readonly processId: string;
  /** Tasks it runs now. */
  readonly active: ReadonlySet<string>;
  readonly standby: ReadonlySet<string>;
  /** Tasks whose state its process has on disk, with how many changelog records it has applied. */
  readonly onDisk: ReadonlyMap<string, number>;
}

export interface MemberTasks {
  readonly active: readonly string[];
  readonly standby: readonly string[];
}

interface Load {
  readonly member: AssignableMember;
  readonly active: Set<string>;
  readonly standby: Set<string>;
}

/** By member id. Nobody gets anything when there are no members. */
export function assignTasks(
  tasks: readonly AssignableTask[],
  members: readonly AssignableMember[],
  options: { readonly standbyReplicas: number },
): ReadonlyMap<string, MemberTasks> {
  const loads = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map((member): Load => ({ member, active: new Set(), standby: new Set() }));
  if (loads.length > 0) {
    const stateful = tasks.filter(({ isStateful }) => isStateful);
    assignActive(stateful, loads, stateful.length);
    assignActive(
      tasks.filter(({ isStateful }) => !isStateful),
      loads,
      tasks.length,
    );
    for (let replica = 0; replica < options.standbyReplicas; replica++)
      assignStandbys(stateful, loads);
  }
  return new Map(
    loads.map(({ member, active, standby }) => [
      member.memberId,
      { active: [...active], standby: [...standby] },
    ]),
  );
}

/**
 * Places `tasks` so that every member ends with floor or ceil of total / members. Those that ran
 * most before get the ceilings first, so that as little as possible moves.
 */
function assignActive(
  tasks: readonly AssignableTask[],
  loads: readonly Load[],
  total: number,
): void {
  const floor = Math.floor(total / loads.length);
  const hadBefore = new Map(
    loads.map((load) => [
      load,
      tasks.filter(({ id }) => load.member.active.has(id)).length + load.active.size,
    ]),
  );
  const byHad = [...loads].sort((a, b) => hadBefore.get(b)! - hadBefore.get(a)!);
  let ceilings = total % loads.length;
  // A member above the floor from the stateful round already used a ceiling of this round.
  for (const load of loads) if (load.active.size > floor) ceilings--;
  const unassigned = new Map(tasks.map((task) => [task.id, task]));
  const place = (load: Load, id: string) => {
    load.active.add(id);
    unassigned.delete(id);
  };
  for (const load of byHad) {
    for (const { id } of tasks) {
      if (!unassigned.has(id) || !load.member.active.has(id)) continue;
      if (load.active.size < floor) place(load, id);
      else if (load.active.size === floor && ceilings > 0) {
        ceilings--;
        place(load, id);
      }
    }
  }
  for (const { id } of tasks) {
    if (!unassigned.has(id)) continue;
    place(bestFor(id, loads), id);
  }
}

/** Among the least loaded: the one with most of the state on its disk, then the first by id. */
function bestFor(id: string, loads: readonly Load[]): Load {
  const least = Math.min(...loads.map(({ active }) => active.size));
  let best: Load | undefined;
  for (const load of loads) {
    if (load.active.size !== least) continue;
    if (best === undefined || applied(load, id) > applied(best, id)) best = load;
  }
  return best!;
}

function assignStandbys(stateful: readonly AssignableTask[], loads: readonly Load[]): void {
  for (const { id } of stateful) {
    const taken = new Set(
      loads
        .filter((load) => load.active.has(id) || load.standby.has(id))
        .map((load) => load.member.processId),
    );
    const free = loads.filter(({ member }) => !taken.has(member.processId));
    if (free.length === 0) continue;
    const least = Math.min(...free.map(({ standby }) => standby.size));
    // One more than the least is allowed to who already follows this task: moving costs a restore.
    const candidates = free.filter(({ standby }) => standby.size <= least + 1);
    const best =
      candidates.find(({ member }) => member.standby.has(id)) ??
      candidates
        .filter(({ standby }) => standby.size === least)
        .reduce((a, b) => (applied(b, id) > applied(a, id) ? b : a));
    best.standby.add(id);
  }
}

function applied({ member }: Load, id: string): number {
  return member.onDisk.get(id) ?? -1;
}
