/**
 * Produce: every partition's batch goes to its log; one answer when all have answered. All appends
 * are begun in the same turn, in the order of the request, so that they share the disk's syncs.
 */

import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { ReceivedRequestOf, WrittenResponseOf } from '../../kafka/protocol/define-api.ts';
import { Errors, errorName } from '../../kafka/protocol/error-codes.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import {
  BATCH_HEADER_BYTES,
  isTransactional,
  readBatchHeader,
} from '../../kafka/records/record-batch.ts';
import type { BatchHeader } from '../../kafka/records/types.ts';
import type { Handler, RequestContext } from '../handler.ts';
import type {
  AppendResult,
  ErrorCodeNumber,
  Topic,
  TopicManager,
  TransactionVerifier,
} from '../ports.ts';

const FIRST_VERSION_WITH_TOPIC_IDS = 13;
/** From here on a Produce adds its partitions to the transaction by itself (KIP-890). */
const FIRST_VERSION_OF_TRANSACTIONS_V2 = 12;
/** Older clients do not know TRANSACTION_ABORTABLE. */
const FIRST_VERSION_WITH_ABORTABLE = 11;
const FIRST_VERSION_WITH_ZSTD = 7;
const ZSTD = 4;
/** Kafka's own tools may write to internal topics under this name. */
const ADMIN_CLIENT_ID = '__admin_client';

type Request = ReceivedRequestOf<typeof produceApi>;
type Response = WrittenResponseOf<typeof produceApi>;
type TopicResponse = Response['responses'][number];
type PartitionResponse = TopicResponse['partitionResponses'][number];

/** One partition of the request with what is known of it before it is appended. */
interface Item {
  readonly topicName: string;
  readonly topic: Topic | undefined;
  readonly index: number;
  readonly records: Buffer;
  readonly header: BatchHeader | undefined;
  error: ErrorCodeNumber;
}

export function produceHandler(
  topics: TopicManager,
  verifier: TransactionVerifier,
): Handler<typeof produceApi> {
  return {
    api: produceApi,
    minVersion: produceApi.minVersion,
    maxVersion: produceApi.maxVersion,
    handle: (request, context) => handleProduce(topics, verifier, request, context),
  };
}

async function handleProduce(
  topics: TopicManager,
  verifier: TransactionVerifier,
  request: Request,
  context: RequestContext,
): Promise<Response | undefined> {
  const items = itemsOf(topics, request, context);
  await verifyTransactions(verifier, request, items, context.version);
  const appended = await Promise.all(items.map((item) => append(topics, request, item, context)));
  if (request.acks === 0) {
    const failed = appended.find(({ errorCode }) => errorCode !== Errors.NONE);
    if (failed === undefined) return undefined;
    // Closing the connection is the only way to tell a producer that waits for no answer.
    throw new MillraceError(
      'KAFKA_RETRIABLE',
      `Produce with acks=0: ${errorName(failed.errorCode)}`,
    );
  }
  const answers = appended[Symbol.iterator]();
  const responses: TopicResponse[] = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(() => answers.next().value!),
  }));
  return { responses };
}

/** In the order of the request. */
function itemsOf(topics: TopicManager, request: Request, context: RequestContext): Item[] {
  const byId = context.version >= FIRST_VERSION_WITH_TOPIC_IDS;
  return request.topicData.flatMap(({ name, topicId, partitionData }) => {
    const topic = byId ? topics.topicById(topicId) : topics.topic(name);
    return partitionData.map(({ index, records }) => {
      const bytes = records ?? Buffer.alloc(0);
      const header = peekHeader(bytes);
      const item = { topicName: topic?.name ?? name, topic, index, records: bytes, header };
      return { ...item, error: refuse(item, request, context) };
    });
  });
}

function refuse(
  item: Omit<Item, 'error'>,
  request: Request,
  context: RequestContext,
): ErrorCodeNumber {
  const { topic, index, header } = item;
  if (request.acks < -1 || request.acks > 1) return Errors.INVALID_REQUIRED_ACKS;
  if (topic === undefined) {
    return context.version >= FIRST_VERSION_WITH_TOPIC_IDS
      ? Errors.UNKNOWN_TOPIC_ID
      : Errors.UNKNOWN_TOPIC_OR_PARTITION;
  }
  if (topic.partitions[index] === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
  if (topic.isInternal && context.clientId !== ADMIN_CLIENT_ID) {
    return Errors.INVALID_TOPIC_EXCEPTION;
  }
  if (header === undefined) return Errors.NONE;
  if ((header.attributes & 0x07) === ZSTD && context.version < FIRST_VERSION_WITH_ZSTD) {
    return Errors.UNSUPPORTED_COMPRESSION_TYPE;
  }
  if (isTransactional(header) && request.transactionalId === null) {
    return Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  }
  return Errors.NONE;
}

/** Undefined when there is no readable header: the partition says what is wrong with the batch. */
function peekHeader(records: Buffer): BatchHeader | undefined {
  if (records.length < BATCH_HEADER_BYTES) return undefined;
  try {
    return readBatchHeader(records, 0);
  } catch (error) {
    if (isMillraceError(error, 'RECORD_CORRUPT')) return undefined;
    throw error;
  }
}

/** No transactional batch reaches a log that its coordinator does not know to be in the transaction. */
async function verifyTransactions(
  verifier: TransactionVerifier,
  request: Request,
  items: readonly Item[],
  version: number,
): Promise<void> {
  const { transactionalId } = request;
  const transactional = items.filter(
    ({ error, header }) => error === Errors.NONE && header !== undefined && isTransactional(header),
  );
  const first = transactional[0]?.header;
  if (first === undefined || transactionalId === null) return;
  const isOthers = ({ header }: Item) =>
    header!.producerId !== first.producerId || header!.producerEpoch !== first.producerEpoch;
  const error = transactional.some(isOthers)
    ? Errors.INVALID_PRODUCER_ID_MAPPING
    : await verifier.verify({
        transactionalId,
        producerId: first.producerId,
        producerEpoch: first.producerEpoch,
        partitions: transactional.map(({ topicName, index }) => ({
          topic: topicName,
          partition: index,
        })),
        addIfMissing: version >= FIRST_VERSION_OF_TRANSACTIONS_V2,
      });
  const isNews = error === Errors.TRANSACTION_ABORTABLE && version < FIRST_VERSION_WITH_ABORTABLE;
  for (const item of transactional) item.error = isNews ? Errors.INVALID_TXN_STATE : error;
}

async function append(
  topics: TopicManager,
  request: Request,
  item: Item,
  context: RequestContext,
): Promise<PartitionResponse> {
  const partition = topics.partition(item.topicName, item.index);
  if (item.error !== Errors.NONE || partition === undefined) {
    const errorCode = item.error === Errors.NONE ? Errors.UNKNOWN_TOPIC_OR_PARTITION : item.error;
    return { index: item.index, errorCode, baseOffset: -1, recordErrors: [], currentLeader: {} };
  }
  const result = await partition.append({
    records: item.records,
    acks: request.acks,
    transactionalId: request.transactionalId,
    supportsEpochBump:
      request.transactionalId !== null && context.version >= FIRST_VERSION_OF_TRANSACTIONS_V2,
  });
  return partitionResponse(item.index, result);
}

function partitionResponse(index: number, result: AppendResult): PartitionResponse {
  return {
    index,
    errorCode: result.error,
    errorMessage: result.errorMessage ?? null,
    recordErrors: (result.recordErrors ?? []).map(({ batchIndex, message }) => ({
      batchIndex,
      batchIndexErrorMessage: message,
    })),
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTimeMs,
    logStartOffset: result.logStartOffset,
    currentLeader: {},
  };
}
