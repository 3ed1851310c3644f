/**
 * Finds the topics a topology needs and creates what belongs to the application: changelogs,
 * repartition topics and dead letters. Waits, visibly, for source topics that do not exist yet.
 * An internal topic with another partition count than now needed: refuse to start.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Admin, TopicSpec } from '../../kafka/ports.ts';
import { resolvePartitionCounts } from '../../topology/copartitioning.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import type { StreamsConfig } from '../streams-config.ts';
import { changelogTopic, repartitionNames, sinksOf, type Topics } from './topic-plan.ts';

export interface InternalTopicsContext {
  readonly admin: Admin;
  readonly clock: Clock;
  readonly random: Random;
  /** Told again at every try while source topics are missing. */
  readonly onMissing: (topics: readonly string[]) => void;
}

/** All topics of the topology, described. Throws PARTITIONS_CHANGED. */
export async function prepareTopics(
  context: InternalTopicsContext,
  topology: BuiltTopology,
  config: StreamsConfig,
  signal: AbortSignal,
): Promise<Topics> {
  const sources = await awaitSourceTopics(context, externalSources(topology), signal);
  const sourceCounts = new Map([...sources].map(([name, { partitions }]) => [name, partitions]));
  const specs = internalTopics(topology, config, sourceCounts);
  const { admin } = context;
  const before = await admin.describeTopics(specs.map(({ name }) => name));
  for (const spec of specs) refuseOtherCount(spec, before.get(spec.name)?.partitions, config);
  const missing = specs.filter(({ name }) => !before.has(name));
  if (missing.length > 0) {
    await admin.createTopics(missing.map(({ isCountFixed: _, ...spec }) => spec));
  }
  return describeAll(
    context,
    topology,
    [...sources.keys(), ...specs.map(({ name }) => name)],
    signal,
  );
}

export interface InternalTopic extends TopicSpec {
  /** False for dead letters: they may have any count, the partition is taken modulo. */
  readonly isCountFixed: boolean;
}

/** What to create, with partition counts (pure). `sourceCounts` has every external source topic. */
export function internalTopics(
  topology: BuiltTopology,
  config: StreamsConfig,
  sourceCounts: ReadonlyMap<string, number>,
): readonly InternalTopic[] {
  const counts = repartitionCounts(topology, sourceCounts);
  const prefixed = (name: string) => (counts.has(name) ? `${config.applicationId}-${name}` : name);
  const countOf = (name: string) => counts.get(name) ?? sourceCounts.get(name) ?? 0;
  const { replicationFactor } = config;
  const specs: InternalTopic[] = [];
  for (const [name, partitions] of counts) {
    // Consumed records are deleted by the engine after the commit; time must not do it before.
    const configs = { 'cleanup.policy': 'delete', 'retention.ms': '-1' };
    specs.push({
      name: prefixed(name),
      partitions,
      replicationFactor,
      configs,
      isCountFixed: true,
    });
  }
  const fromSource = new Set(topology.sourceChangelogs.map(({ storeName }) => storeName));
  for (const { stores, sourceTopics } of topology.subTopologies) {
    const partitions = Math.max(0, ...sourceTopics.map(countOf));
    for (const store of stores) {
      if (store.changelog === false || fromSource.has(store.name)) continue;
      const configs = {
        'cleanup.policy': 'compact',
        'delete.retention.ms': String(config.changelogDeleteRetentionMs),
        ...store.changelog.configs,
      };
      const name = changelogTopic(config.applicationId, store.name);
      specs.push({ name, partitions, replicationFactor, configs, isCountFixed: true });
    }
    if (config.deadLetterSuffix === null) continue;
    for (const topic of sourceTopics) {
      const name = `${prefixed(topic)}${config.deadLetterSuffix}`;
      const configs = { 'cleanup.policy': 'delete' };
      const partitions = countOf(topic);
      specs.push({ name, partitions, replicationFactor, configs, isCountFixed: false });
    }
  }
  return specs;
}

/** By the name that the topology gives; copartitioned topics get equal counts, or TOPOLOGY_INVALID. */
function repartitionCounts(
  topology: BuiltTopology,
  sourceCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const names = repartitionNames(topology);
  const counts = resolvePartitionCounts(topology, (topic) => sourceCounts.get(topic));
  return new Map([...counts].filter(([name]) => names.has(name)));
}

function externalSources(topology: BuiltTopology): readonly string[] {
  const internal = repartitionNames(topology);
  const all = topology.subTopologies.flatMap(({ sourceTopics }) => sourceTopics);
  return [...new Set(all)].filter((topic) => !internal.has(topic));
}

async function awaitSourceTopics(
  context: InternalTopicsContext,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Topics> {
  for (let attempt = 0; ; attempt++) {
    const found = await context.admin.describeTopics(names);
    const missing = names.filter((name) => !found.has(name));
    if (missing.length === 0) return found;
    context.onMissing(missing);
    await context.clock.sleep(
      backoffMs(attempt, { initialMs: 200, maxMs: 5_000 }, context.random),
      signal,
    );
    if (signal.aborted)
      throw new MillraceError('STREAMS_STATE', 'stopped while waiting for topics');
  }
}

/** Created topics take a moment to be known everywhere; sinks may be created by others, or later. */
async function describeAll(
  context: InternalTopicsContext,
  topology: BuiltTopology,
  required: readonly string[],
  signal: AbortSignal,
): Promise<Topics> {
  const sinks = topology.subTopologies
    .flatMap((subTopology) => sinksOf(subTopology).map(({ topic }) => topic))
    .filter((topic) => typeof topic === 'string')
    .filter((topic) => !repartitionNames(topology).has(topic));
  const found = await awaitSourceTopics(context, required, signal);
  // A broker that is behind may deny for a moment what another has just described.
  return new Map([
    ...found,
    ...(await context.admin.describeTopics([...new Set([...required, ...sinks])])),
  ]);
}

function refuseOtherCount(
  spec: InternalTopic,
  existing: number | undefined,
  config: StreamsConfig,
): void {
  if (existing === undefined || existing === spec.partitions || !spec.isCountFixed) return;
  throw new MillraceError(
    'PARTITIONS_CHANGED',
    `${spec.name} has ${existing} partitions, ${spec.partitions} are needed now`,
    {
      hint:
        'Partition counts are fixed for the life of an application id. Restore the old count of ' +
        `the source topics, or start with a new application id than "${config.applicationId}" ` +
        'and migrate.',
      facts: { topic: spec.name, existing, needed: spec.partitions },
    },
  );
}
