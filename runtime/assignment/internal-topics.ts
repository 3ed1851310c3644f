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
import type { StoreSpec } from '../../stores/state-store.ts';
import { resolvePartitionCounts } from '../../topology/copartitioning.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import type { StreamsConfig } from '../streams-config.ts';
import { changelogTopic, realNames, repartitionNames, sinksOf, type Topics } from './topic-plan.ts';

export interface InternalTopicsContext {
  readonly admin: Admin;
  readonly clock: Clock;
  readonly random: Random;
  /** Told again at every try while source topics are missing. */
  readonly onMissing: (topics: readonly string[]) => void;
}

/**
 * All topics of the topology, described. Throws PARTITIONS_CHANGED. One question is enough where
 * everything is there, as it is at every start but the first.
 */
export async function prepareTopics(
  context: InternalTopicsContext,
  topology: BuiltTopology,
  config: StreamsConfig,
  signal: AbortSignal,
): Promise<Topics> {
  const sources = externalSources(topology);
  const others = [...internalNames(topology, config), ...externalSinks(topology)];
  const before = await awaitTopics(context, sources, others, signal);
  const sourceCounts = new Map(sources.map((name) => [name, before.get(name)!.partitions]));
  const specs = internalTopics(topology, config, sourceCounts);
  for (const spec of specs) refuseOtherCount(spec, before.get(spec.name)?.partitions, config);
  const missing = specs.filter(({ name }) => !before.has(name));
  if (missing.length === 0) return before;
  await context.admin.createTopics(missing.map(({ isCountFixed: _, ...spec }) => spec));
  // Created topics take a moment to be known everywhere, and a broker that is behind may deny for a
  // moment what another one has just described.
  const created = missing.map(({ name }) => name);
  return new Map([...before, ...(await awaitTopics(context, created, [], signal))]);
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
  const realName = realNames(config.applicationId, topology);
  const countOf = (name: string) => counts.get(name) ?? sourceCounts.get(name) ?? 0;
  const { replicationFactor } = config;
  const specs: InternalTopic[] = [];
  for (const [name, partitions] of counts) {
    // Consumed records are deleted by the engine after the commit; time must not do it before.
    const configs = { 'cleanup.policy': 'delete', 'retention.ms': '-1' };
    specs.push({
      name: realName(name),
      partitions,
      replicationFactor,
      configs,
      isCountFixed: true,
    });
  }
  const isLogged = loggedIn(topology);
  for (const { stores, sourceTopics } of topology.subTopologies) {
    const partitions = Math.max(0, ...sourceTopics.map(countOf));
    for (const store of stores.filter(isLogged)) {
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
      const name = `${realName(topic)}${config.deadLetterSuffix}`;
      const configs = { 'cleanup.policy': 'delete' };
      const partitions = countOf(topic);
      specs.push({ name, partitions, replicationFactor, configs, isCountFixed: false });
    }
  }
  return specs;
}

/** What internalTopics() will name: known before any partition count is. */
function internalNames(
  topology: BuiltTopology,
  { applicationId, deadLetterSuffix }: StreamsConfig,
): readonly string[] {
  const realName = realNames(applicationId, topology);
  const { subTopologies } = topology;
  const sources = subTopologies.flatMap(({ sourceTopics }) => sourceTopics.map(realName));
  const logged = subTopologies.flatMap(({ stores }) => stores).filter(loggedIn(topology));
  return [
    ...[...repartitionNames(topology)].map(realName),
    ...logged.map(({ name }) => changelogTopic(applicationId, name)),
    ...(deadLetterSuffix === null ? [] : sources.map((name) => `${name}${deadLetterSuffix}`)),
  ];
}

type LoggedStore = StoreSpec & { readonly changelog: Exclude<StoreSpec['changelog'], false> };

/** Whether a store of this topology has a changelog of its own. */
function loggedIn({ sourceChangelogs }: BuiltTopology): (store: StoreSpec) => store is LoggedStore {
  const fromSource = new Set(sourceChangelogs.map(({ storeName }) => storeName));
  return (store): store is LoggedStore => store.changelog !== false && !fromSource.has(store.name);
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

/** Sinks with a name; they may be created by others, or later. */
function externalSinks(topology: BuiltTopology): readonly string[] {
  const internal = repartitionNames(topology);
  return topology.subTopologies
    .flatMap((subTopology) => sinksOf(subTopology).map(({ topic }) => topic))
    .filter((topic) => typeof topic === 'string')
    .filter((topic) => !internal.has(topic));
}

/** Until all that is required is there. What else was asked for comes along as far as it is. */
async function awaitTopics(
  context: InternalTopicsContext,
  required: readonly string[],
  others: readonly string[],
  signal: AbortSignal,
): Promise<Topics> {
  const names = [...new Set([...required, ...others])];
  for (let attempt = 0; ; attempt++) {
    const found = await context.admin.describeTopics(names);
    const missing = required.filter((name) => !found.has(name));
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
