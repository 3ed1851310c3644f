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
    assignStandbys(stateful, loads, options.standbyReplicas);
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
    const free = loads.filter(({ active }) => active.size < floor + (ceilings > 0 ? 1 : 0));
    const load = free.reduce((best, each) => (isBetterActive(each, best, id) ? each : best));
    if (load.active.size >= floor) ceilings--;
    place(load, id);
  }
}

/** Most of the state on its disk; then the least loaded; then the first by id. */
function isBetterActive(load: Load, than: Load, id: string): boolean {
  if (applied(load, id) !== applied(than, id)) return applied(load, id) > applied(than, id);
  return load.active.size < than.active.size;
}

/** Keeps standbys that may stay, fills up with the least loaded, then evens out. */
function assignStandbys(
  stateful: readonly AssignableTask[],
  loads: readonly Load[],
  replicas: number,
): void {
  const missing = new Map<string, number>(stateful.map(({ id }) => [id, replicas]));
  const place = (load: Load, id: string) => {
    load.standby.add(id);
    missing.set(id, missing.get(id)! - 1);
  };
  for (const { id } of stateful) {
    for (const load of loads) {
      if (missing.get(id) === 0) break;
      if (load.member.standby.has(id) && mayFollow(load, id, loads)) place(load, id);
    }
  }
  for (const { id } of stateful) {
    while (missing.get(id)! > 0) {
      const free = loads.filter((load) => mayFollow(load, id, loads));
      if (free.length === 0) break;
      place(
        free.reduce((best, load) => (isBetterStandby(load, best, id) ? load : best)),
        id,
      );
    }
  }
  while (evenOutOnce(loads));
}

/** Moves one standby from a member to another that has at least two fewer; false when none can. */
function evenOutOnce(loads: readonly Load[]): boolean {
  for (const from of loads) {
    for (const to of loads) {
      if (from.standby.size - to.standby.size < 2) continue;
      for (const id of [...from.standby]) {
        from.standby.delete(id);
        if (mayFollow(to, id, loads)) {
          to.standby.add(id);
          return true;
        }
        from.standby.add(id);
      }
    }
  }
  return false;
}

/** Nobody of its process has the task yet. */
function mayFollow({ member }: Load, id: string, loads: readonly Load[]): boolean {
  return loads.every(
    (other) =>
      other.member.processId !== member.processId ||
      !(other.active.has(id) || other.standby.has(id)),
  );
}

function isBetterStandby(load: Load, than: Load, id: string): boolean {
  if (load.standby.size !== than.standby.size) return load.standby.size < than.standby.size;
  return applied(load, id) > applied(than, id);
}

/** Changelog records on the member's disk; a standby has followed to the end. */
function applied({ member }: Load, id: string): number {
  return member.standby.has(id) ? Infinity : (member.onDisk.get(id) ?? -1);
}
