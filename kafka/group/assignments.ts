/**
 * Cooperative rebalancing as arithmetic on sets of partitions (KIP-429). Pure.
 *
 * No partition is ever given to one member while another may still be working on it: the leader
 * withholds it, its owner gives it up and rejoins, and the rebalance after that hands it on. Claims are
 * believed whatever generation they come from: a member that has missed a generation still works.
 */
import {
  type MemberAssignment,
  type MemberSubscription,
  partitionKey,
  type TopicPartition,
} from '../ports.ts';

export interface AssignmentChange {
  readonly revoked: readonly TopicPartition[];
  readonly added: readonly TopicPartition[];
}

export function changeOf(
  owned: readonly TopicPartition[],
  assigned: readonly TopicPartition[],
): AssignmentChange {
  return { revoked: without(owned, assigned), added: without(assigned, owned) };
}

/** Those of `partitions` that are not among `others`. */
export function without(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): readonly TopicPartition[] {
  const excluded = new Set(others.map(keyOf));
  return partitions.filter((each) => !excluded.has(keyOf(each)));
}

export interface Withheld {
  readonly assignments: ReadonlyMap<string, MemberAssignment>;
  /** Assigned, but not given out yet: another rebalance must follow. */
  readonly withheld: readonly TopicPartition[];
}

/** Takes out of every assignment what another member claims to own. */
export function withholdOwned(
  assignments: ReadonlyMap<string, MemberAssignment>,
  members: readonly MemberSubscription[],
): Withheld {
  const owners = new Map<string, Set<string>>();
  for (const { memberId, ownedPartitions } of members) {
    for (const owned of ownedPartitions) {
      const key = keyOf(owned);
      const claims = owners.get(key);
      if (claims === undefined) owners.set(key, new Set([memberId]));
      else claims.add(memberId);
    }
  }
  const withheld: TopicPartition[] = [];
  const given = new Map<string, MemberAssignment>();
  for (const [memberId, { partitions, userData }] of assignments) {
    const free = partitions.filter((each) => {
      const claims = owners.get(keyOf(each));
      return claims === undefined || (claims.size === 1 && claims.has(memberId));
    });
    withheld.push(...without(partitions, free));
    given.set(memberId, { partitions: free, userData });
  }
  return { assignments: given, withheld };
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}
