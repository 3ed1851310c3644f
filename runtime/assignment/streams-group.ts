/**
 * The application as a consumer group: tells the group what this thread runs, decides as the leader
 * with the task assignor, and turns partitions into work for the thread. Group id = application id.
 */
import type { Log } from '../../base/log.ts';
import type { HostInfo } from '../../interactive-queries/queryable-streams.ts';
import type {
  GroupProtocol,
  MemberAssignment,
  MemberSubscription,
  TopicPartition,
} from '../../kafka/ports.ts';
import { agreedBy, type Difference, difference } from './agreement.ts';
import {
  type AssignmentData,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type HostTasks,
  type SubscriptionData,
} from './assignment-codec.ts';
import { type AssignableMember, assignTasks, type MemberTasks } from './task-assignor.ts';
import { parseTaskId, type TopicPlan, taskId } from './topic-plan.ts';

/** What the thread does about it. All are awaited by the group member. */
export interface GroupEvents {
  onAssigned(added: readonly TopicPartition[], data: AssignmentData): Promise<void>;
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  onLost(partitions: readonly TopicPartition[]): Promise<void>;
  onFatal(error: Error): void;
  /** The application runs with other settings than ours; undefined: with ours. */
  onDifference(found: Difference | undefined): void;
}

export interface StreamsGroupContext {
  readonly plan: TopicPlan;
  readonly standbyReplicas: number;
  readonly log: Log;
  /** What this member tells about itself. */
  readonly subscription: () => SubscriptionData;
}

const NO_DATA: AssignmentData = { standby: [], hosts: [], agreed: {} };

export function streamsGroupProtocol(
  context: StreamsGroupContext,
  events: GroupEvents,
): GroupProtocol {
  const { plan } = context;
  const compare = ({ agreed }: AssignmentData) => {
    const found = difference(context.subscription().agreed, agreed);
    events.onDifference(found);
    return found;
  };
  return {
    name: 'millrace',
    topics: () => [...plan.bySourceTopic.keys()],
    userData: () => encodeSubscription(context.subscription()),
    assign: async (members) => assignMembers(context, members),
    // Of a former life with other settings: nothing of it may be taken either.
    fits: (partitions, userData) =>
      partitions.length === 0 ||
      (areWholeTasks(plan, partitions) &&
        compare(decodeAssignment(userData) ?? NO_DATA) === undefined),
    onAssigned: (added, { userData }) => {
      const data = decodeAssignment(userData) ?? NO_DATA;
      compare(data);
      return events.onAssigned(added, data);
    },
    onRevoked: (partitions) => events.onRevoked(partitions),
    onLost: (partitions) => events.onLost(partitions),
    onFatal: (error) => events.onFatal(error),
  };
}

const NO_TASKS: MemberTasks = { active: [], standby: [] };

interface Member {
  readonly memberId: string;
  readonly data: SubscriptionData;
}

/** Pure: subscriptions in, assignments with the whole host map out. */
export function assignMembers(
  { plan, standbyReplicas, log }: Pick<StreamsGroupContext, 'plan' | 'standbyReplicas' | 'log'>,
  subscriptions: readonly MemberSubscription[],
): ReadonlyMap<string, MemberAssignment> {
  const members = subscriptions.map((subscription): Member => {
    const data = decodeSubscription(subscription.userData) ?? strangerData(subscription);
    return { memberId: subscription.memberId, data };
  });
  const tasks = plan.subTopologies.flatMap(({ subTopology, taskCount, changelogs }) =>
    Array.from({ length: taskCount }, (_, partition) => ({
      id: taskId(subTopology.id, partition),
      isStateful: changelogs.length > 0,
    })),
  );
  const agreed = agreedBy(members.map(({ data }) => data));
  const differs = ({ data }: Member) => difference(data.agreed, agreed) !== undefined;
  const agreeing = subscriptions
    .map((subscription, index) => assignable(plan, subscription, members[index]!))
    .filter((_, index) => !differs(members[index]!));
  const assigned = new Map<string, MemberTasks>([
    ...members.map(({ memberId }) => [memberId, NO_TASKS] as const),
    ...assignTasks(tasks, agreeing, { standbyReplicas }),
  ]);
  const hosts = hostTasks(members, assigned);
  log.info(
    { members: members.length, tasks: tasks.length, hosts: hosts.length },
    'assigned tasks to the group',
  );
  return new Map(
    [...assigned].map(([memberId, { active, standby }]) => [
      memberId,
      {
        partitions: active.flatMap((id) => inputsOf(plan, id)),
        userData: encodeAssignment({ standby, hosts, agreed }),
      },
    ]),
  );
}

function assignable(
  plan: TopicPlan,
  subscription: MemberSubscription,
  { memberId, data }: Member,
): AssignableMember {
  const owned = subscription.ownedPartitions.flatMap(({ topic, partition }) => {
    const subTopologyPlan = plan.bySourceTopic.get(topic);
    return subTopologyPlan === undefined ? [] : [taskId(subTopologyPlan.subTopology.id, partition)];
  });
  // Owned partitions are what counts; user data adds what a restarted static member had on disk.
  return {
    memberId,
    processId: data.processId,
    active: new Set(owned),
    standby: new Set(data.standby),
    onDisk: data.onDisk,
  };
}

/** A member whose user data cannot be read still gets its share. */
function strangerData({ memberId }: MemberSubscription): SubscriptionData {
  const nothing = { active: [], standby: [], onDisk: new Map(), agreed: {} };
  return { processId: memberId, endpoint: null, ...nothing };
}

export function inputsOf(plan: TopicPlan, id: string): readonly TopicPartition[] {
  const { subTopologyId, partition } = parseTaskId(id);
  const found = plan.subTopologies.find(({ subTopology }) => subTopology.id === subTopologyId);
  return (found?.sources ?? [])
    .filter(({ topic }) => partition < plan.topics.get(topic)!.partitions)
    .map(({ topic }) => ({ topic, partition }));
}

/** Whether they are all that some tasks of this topology read: those of another version may be less, or more. */
export function areWholeTasks(plan: TopicPlan, partitions: readonly TopicPartition[]): boolean {
  const inputs = Map.groupBy(partitions, ({ topic, partition }) => {
    const subTopologyPlan = plan.bySourceTopic.get(topic);
    return subTopologyPlan && taskId(subTopologyPlan.subTopology.id, partition);
  });
  return [...inputs].every(
    ([id, given]) => id !== undefined && given.length === inputsOf(plan, id).length,
  );
}

/** Threads of one process are one host. */
function hostTasks(
  members: readonly Member[],
  assigned: ReadonlyMap<string, MemberTasks>,
): readonly HostTasks[] {
  const byProcess = new Map<
    string,
    { endpoint: HostInfo | null; active: string[]; standby: string[] }
  >();
  for (const { memberId, data } of members) {
    const host = byProcess.get(data.processId) ?? {
      endpoint: data.endpoint,
      active: [],
      standby: [],
    };
    byProcess.set(data.processId, host);
    const tasks = assigned.get(memberId);
    host.active.push(...(tasks?.active ?? []));
    host.standby.push(...(tasks?.standby ?? []));
  }
  return [...byProcess].map(([processId, host]) => ({ processId, ...host }));
}
