/** What planted bugs need to change what goes between a client and the broker. */
import type { Api } from '../../../kafka/protocol/api.ts';
import { decodeRequest, encodeRequest, encodeResponse } from '../../../kafka/protocol/codec.ts';
import type { RequestOf, ResponseOf } from '../../../kafka/protocol/define-api.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import { type ProducerStamp, stampProducer } from '../../../kafka/records/batch-builder.ts';
import { readBatchHeader } from '../../../kafka/records/record-batch.ts';
import type { BatchHeader } from '../../../kafka/records/types.ts';
import type { BrokerConnector, RequestHeader } from '../../../kafka/wire.ts';
import type { Process } from '../../../simulation/world/process.ts';

export type ChangeConnector = (connector: BrokerConnector, process: Process) => BrokerConnector;
export type ProduceRequest = RequestOf<typeof produceApi>;
export type TxnOffsetCommitRequest = RequestOf<typeof txnOffsetCommitApi>;

/** Only of connections with such a purpose. */
export function onChannel(purposes: RegExp, change: ChangeConnector): ChangeConnector {
  return (connector, process) => {
    const changed = change(connector, process);
    return {
      connect: (address, purpose) =>
        (purposes.test(purpose) ? changed : connector).connect(address, purpose),
    };
  };
}

/** Of every broker. */
export function all(...changes: readonly ChangeConnector[]): ChangeConnector {
  return (connector, process) =>
    changes.reduce((inner, change) => change(inner, process), connector);
}

export function requestIn<Request>(
  api: Api<Request, never> | Api<Request, unknown>,
  { apiVersion }: RequestHeader,
  body: Uint8Array,
): Request {
  return decodeRequest<Request>(api as never, apiVersion, Buffer.from(body));
}

export function answerOf<Response>(
  api: Api<never, Response> | Api<unknown, Response>,
  { apiVersion }: RequestHeader,
  response: Partial<Response>,
): Buffer {
  return encodeResponse(api as never, apiVersion, response as never);
}

/** As if the coordinator had taken all of them. */
export function offsetsTaken(header: RequestHeader, { topics }: TxnOffsetCommitRequest): Buffer {
  const response: Partial<ResponseOf<typeof txnOffsetCommitApi>> = {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
    })),
  };
  return answerOf(txnOffsetCommitApi, header, response);
}

export interface StampedBatch {
  readonly transactionalId: string;
  /** Topic and partition. */
  readonly key: string;
  readonly header: BatchHeader;
}

/** The request with other producers in its batches; transactional ones only, the rest stays. */
export function restamped(
  requestHeader: RequestHeader,
  body: Uint8Array,
  stampOf: (batch: StampedBatch) => Omit<ProducerStamp, 'transactional'> | undefined,
): Buffer {
  const request = requestIn<ProduceRequest>(produceApi, requestHeader, body);
  const { transactionalId } = request;
  if (typeof transactionalId !== 'string') return Buffer.from(body);
  const topicData = request.topicData.map((topic) => ({
    ...topic,
    partitionData: topic.partitionData.map((partition) => {
      const key = `${topic.name}-${partition.index}`;
      const records = Buffer.from(partition.records!);
      const stamp = stampOf({ transactionalId, key, header: readBatchHeader(records, 0)! });
      if (stamp !== undefined) stampProducer(records, { ...stamp, transactional: true });
      return { ...partition, records };
    }),
  }));
  return encodeRequest(produceApi, requestHeader.apiVersion, { ...request, topicData });
}

export function recordCountOf({ lastOffsetDelta }: BatchHeader): number {
  return lastOffsetDelta + 1;
}
