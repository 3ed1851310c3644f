/** The Admin port over a Cluster. Every call goes on trying for `timeoutMs` while that can help. */
import type { AdminContext } from './admin/admin-context.ts';
import { commitOffsets, committedOffsets } from './admin/group-offsets.ts';
import { deleteRecords, listOffsets } from './admin/partition-offsets.ts';
import {
  clusterId,
  createTopics,
  deleteTopics,
  describeTopics,
  listTopics,
  topicConfigs,
} from './admin/topic-admin.ts';
import type { ClientDeps } from './client-deps.ts';
import type { Admin } from './ports.ts';
import type { Cluster } from './wire.ts';

const TIMEOUT_MS = 30_000;

export function createAdmin(
  cluster: Cluster,
  deps: ClientDeps,
  options: { readonly timeoutMs?: number } = {},
): Admin {
  const context: AdminContext = {
    cluster,
    deps,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    offsetQuestions: new Map(),
  };
  return {
    createTopics: (topics) => createTopics(context, topics),
    deleteTopics: (names) => deleteTopics(context, names),
    describeTopics: (names) => describeTopics(context, names),
    listTopics: () => listTopics(context),
    topicConfigs: (name) => topicConfigs(context, name),
    listOffsets: (partitions, spec, isolation) => listOffsets(context, partitions, spec, isolation),
    committedOffsets: (groupId, partitions, how) =>
      committedOffsets(context, groupId, partitions, how),
    commitOffsets: (group, offsets) => commitOffsets(context, group, offsets),
    deleteRecords: (before) => deleteRecords(context, before),
    clusterId: () => clusterId(context),
  };
}
