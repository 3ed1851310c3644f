/** Lets every serde of the topology register or fetch its schemas before the first record. */
import { backoffMs } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Serde } from '../schemas/serde.ts';
import { sinksOf, type TopicPlan } from './assignment/topic-plan.ts';

interface Preparation {
  readonly serde: Serde<unknown>;
  readonly topic: string;
  readonly part: 'key' | 'value';
}

/** Waits, visibly, while the registry is away. Rejects SCHEMA_INCOMPATIBLE and the like. */
export async function prepareSerdes(
  plan: TopicPlan,
  { clock, random, log }: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  for (const { serde, topic, part } of preparations(plan)) {
    for (let attempt = 0; serde.prepare !== undefined; attempt++) {
      try {
        await serde.prepare(topic, part);
        break;
      } catch (error) {
        if (!isMillraceError(error, 'SCHEMA_REGISTRY_UNAVAILABLE')) throw error;
        log.warn({ topic, part, attempt, err: error }, 'waiting for the schema registry');
        await clock.sleep(backoffMs(attempt, { initialMs: 100, maxMs: 5_000 }, random), signal);
        if (signal.aborted)
          throw new MillraceError('STREAMS_STATE', 'stopped while waiting', { cause: error });
      }
    }
  }
}

function preparations(plan: TopicPlan): readonly Preparation[] {
  return plan.subTopologies.flatMap(({ sources, subTopology, changelogs }) => [
    ...sources.flatMap(({ topic, node }) => both(topic, node)),
    ...sinksOf(subTopology).flatMap((sink) =>
      typeof sink.topic === 'string' ? both(plan.realName(sink.topic), sink) : [],
    ),
    ...changelogs
      .filter(({ isSourceTopic }) => !isSourceTopic)
      .flatMap(({ topic, spec }) => both(topic, spec)),
  ]);
}

function both(
  topic: string,
  serdes: { readonly keySerde: Serde<unknown>; readonly valueSerde: Serde<unknown> },
): readonly Preparation[] {
  return [
    { serde: serdes.keySerde, topic, part: 'key' },
    { serde: serdes.valueSerde, topic, part: 'value' },
  ];
}
