/**
 * One task's records that could not be used: asks the exception handler, writes the dead letter.
 * Remembers the records that failed halfway and were rolled back: their next turn is a dead letter.
 */
import type { Clock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { RecordCollector } from '../commit/record-collector.ts';
import { deadLetter } from '../failures/dead-letter.ts';
import {
  decideFailure,
  type FailureStage,
  type RecordFailure,
} from '../failures/exception-handlers.ts';
import type { StreamsConfig } from '../streams-config.ts';
import type { RecordQueue } from './record-queue.ts';

export interface RecordFailuresContext {
  readonly config: StreamsConfig;
  readonly collector: RecordCollector;
  readonly clock: Clock;
  readonly log: Log;
}

interface RolledBack {
  readonly queue: RecordQueue;
  readonly offset: number;
  readonly failure: RecordFailure;
}

export class RecordFailures {
  readonly #taskId: string;
  readonly #context: RecordFailuresContext;
  #rolledBack: readonly RolledBack[] = [];

  constructor(taskId: string, context: RecordFailuresContext) {
    this.#taskId = taskId;
    this.#context = context;
  }

  /** The head of the queue failed before it had effects. Throws PROCESSING_FAILED on 'fail'. */
  deadLetter(stage: FailureStage, nodeName: string, queue: RecordQueue, error: Error): void {
    this.#write(queue, this.#decide(stage, nodeName, queue, error));
  }

  /** It failed after effects: remembered for after the rollback. Throws PROCESSING_FAILED on 'fail'. */
  rollBack(stage: FailureStage, nodeName: string, queue: RecordQueue, error: Error): void {
    const failure = this.#decide(stage, nodeName, queue, error);
    this.#rolledBack = [...this.#rolledBack, { queue, offset: queue.headOffset, failure }];
  }

  /** True when the head has failed halfway before: it has become a dead letter now. */
  hasRolledBack(queue: RecordQueue): boolean {
    if (this.#rolledBack.length === 0) return false;
    const known = this.#rolledBack.find(
      (entry) => entry.queue === queue && entry.offset === queue.headOffset,
    );
    if (known === undefined) return false;
    this.#write(queue, known.failure);
    return true;
  }

  /** What lies before the committed position will not come again. */
  committed(queue: RecordQueue, offset: number): void {
    if (this.#rolledBack.length === 0) return;
    this.#rolledBack = this.#rolledBack.filter(
      (entry) => entry.queue !== queue || entry.offset >= offset,
    );
  }

  #decide(stage: FailureStage, nodeName: string, queue: RecordQueue, error: Error): RecordFailure {
    const { config, log } = this.#context;
    const { partition, headOffset: offset } = queue;
    const { topic } = queue.source;
    const failure = { stage, taskId: this.#taskId, nodeName, topic, partition, offset, error };
    const facts = { taskId: this.#taskId, nodeName, topic, partition, offset };
    if (decideFailure(config.exceptionHandlers, failure) === 'fail') {
      const message = `${stage} of a record failed at ${topic}-${partition}@${offset}`;
      throw new MillraceError('PROCESSING_FAILED', message, { cause: error, facts });
    }
    log.warn({ ...facts, stage, err: error }, 'a record could not be used');
    return failure;
  }

  #write(queue: RecordQueue, failure: RecordFailure): void {
    const { config, collector, clock } = this.#context;
    if (config.deadLetterSuffix === null) return;
    const limits = { bytesMax: config.deadLetterBytesMax, nowMs: clock.nowMs() };
    const letter = deadLetter(queue.original(), failure, limits);
    const topic = `${queue.source.topic}${config.deadLetterSuffix}`;
    collector.collectRaw({
      topic,
      partition: queue.partition,
      timestampMs: queue.headTimestampMs,
      ...letter,
    });
  }
}
