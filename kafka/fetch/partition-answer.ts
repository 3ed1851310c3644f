/**
 * What the broker said about one partition, as a decision: data, an error for the caller, or what to
 * wait for before asking again. Pure.
 */
import { MillraceError } from '../../base/errors.ts';
import type { FetchedPartition, FetcherOptions } from '../ports.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors, errorName } from '../protocol/error-codes.ts';
import type { fetchApi } from '../protocol/messages/fetch.ts';
import type { FetchPartition } from './fetch-partition.ts';
import { visibleBatches } from './visible-batches.ts';

export type PartitionResponse = ResponseOf<
  typeof fetchApi
>['responses'][number]['partitions'][number];

export type PartitionAnswer =
  | {
      readonly kind: 'data';
      readonly fetched: FetchedPartition;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'report'; readonly fetched: FetchedPartition }
  | { readonly kind: 'find-leader'; readonly reason: string }
  | { readonly kind: 'try-later'; readonly reason: string };

const NO_RECORDS = Buffer.alloc(0);

/** Throws RECORD_CORRUPT when the bytes are damaged. */
export function judgePartition(
  state: FetchPartition,
  response: PartitionResponse,
  isolation: FetcherOptions['isolation'],
): PartitionAnswer {
  switch (response.errorCode) {
    case Errors.NONE:
      return hasDiverged(response)
        ? report(state, response, diverged(state, response))
        : readData(state, response, isolation);
    case Errors.OFFSET_OUT_OF_RANGE:
      return report(state, response, outOfRange(state, response));
    // The broker is behind what we know already: asking others would not help.
    case Errors.OFFSET_NOT_AVAILABLE:
      return { kind: 'try-later', reason: errorName(response.errorCode) };
    // Moved leaders, stale epochs, a topic not known there yet; and whatever else: a fresh look helps.
    default:
      return { kind: 'find-leader', reason: errorName(response.errorCode) };
  }
}

function hasDiverged(response: PartitionResponse): boolean {
  return response.divergingEpoch.endOffset >= 0;
}

function readData(
  state: FetchPartition,
  response: PartitionResponse,
  isolation: FetcherOptions['isolation'],
): PartitionAnswer {
  const visible = visibleBatches({
    records: response.records ?? NO_RECORDS,
    fetchOffset: state.nextOffset,
    fetchEpoch: state.lastEpoch,
    aborted: isolation === 'read_committed' ? (response.abortedTransactions ?? []) : [],
  });
  const { batches, nextOffset, lastEpoch, sizeBytes } = visible;
  // Brokers send at least one whole batch. Should one not, asking again at once would spin.
  const isCutShort = nextOffset === state.nextOffset && (response.records?.length ?? 0) > 0;
  if (isCutShort) return { kind: 'try-later', reason: 'no whole batch at or after the position' };
  return {
    kind: 'data',
    fetched: { ...bounds(state, response), batches, nextOffset, lastLeaderEpoch: lastEpoch },
    sizeBytes,
  };
}

function report(
  state: FetchPartition,
  response: PartitionResponse,
  error: MillraceError,
): PartitionAnswer {
  const { nextOffset, lastEpoch: lastLeaderEpoch } = state;
  return {
    kind: 'report',
    fetched: { ...bounds(state, response), batches: [], nextOffset, lastLeaderEpoch, error },
  };
}

function bounds(state: FetchPartition, response: PartitionResponse) {
  const { topic, partition } = state;
  const { highWatermark, lastStableOffset, logStartOffset } = response;
  return { topic, partition, highWatermark, lastStableOffset, logStartOffset };
}

function outOfRange(state: FetchPartition, response: PartitionResponse): MillraceError {
  return new MillraceError(
    'KAFKA_OFFSET_OUT_OF_RANGE',
    `${state.key} has no offset ${state.nextOffset}`,
    {
      facts: {
        topic: state.topic,
        partition: state.partition,
        offset: state.nextOffset,
        logStartOffset: response.logStartOffset,
      },
    },
  );
}

function diverged(state: FetchPartition, response: PartitionResponse): MillraceError {
  const { epoch, endOffset } = response.divergingEpoch;
  return new MillraceError(
    'KAFKA_OFFSET_OUT_OF_RANGE',
    `${state.key} was cut: leader epoch ${state.lastEpoch} does not reach offset ${state.nextOffset}`,
    {
      hint: 'What was read from the cut-off end is no longer in the log; rebuild from an earlier offset.',
      facts: {
        topic: state.topic,
        partition: state.partition,
        offset: state.nextOffset,
        divergingEpoch: epoch,
        divergingOffset: endOffset,
      },
    },
  );
}
