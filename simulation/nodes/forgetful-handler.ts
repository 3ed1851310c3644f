/**
 * A broker that recognises a repeated batch but not where it was appended: it says
 * DUPLICATE_SEQUENCE_NUMBER and offset -1, as Kafka does for all but a producer's last few batches.
 */
import type { FrameHandler } from '../../embedded-kafka/ports.ts';
import {
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  decodeResponseHeader,
  encodeResponseFrame,
} from '../../kafka/protocol/codec.ts';
import type { RequestOf, ResponseOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';

type ProduceRequest = RequestOf<typeof produceApi>;
type ProduceResponse = ResponseOf<typeof produceApi>;

const FRAME_SIZE_BYTES = 4;
const NO_OFFSET = -1;

export function forgetfulHandler(handler: FrameHandler, onForgotten: () => void): FrameHandler {
  const appended = new Set<string>();
  return {
    connectionClosed: (connection) => handler.connectionClosed(connection),
    handle: async (frame, connection) => {
      const header = decodeRequestHeader(frame);
      if (header.apiKey !== produceApi.key) return handler.handle(frame, connection);
      const { apiVersion, correlationId } = header;
      const request = decodeRequest<ProduceRequest>(
        produceApi as never,
        apiVersion,
        frame,
        header.bodyAt,
      );
      const batches = batchesIn(request);
      const answer = await handler.handle(frame, connection);
      if (answer === undefined) return undefined;
      const { bodyAt } = decodeResponseHeader(answer, header);
      const response = decodeResponse<ProduceResponse>(produceApi, apiVersion, answer, bodyAt);
      const responses = response.responses.map((topic) => ({
        ...topic,
        partitionResponses: topic.partitionResponses.map((each) => {
          const batch = batches.get(`${topic.name}-${each.index}`);
          if (each.errorCode !== Errors.NONE || batch === undefined) return each;
          if (!appended.has(batch)) {
            appended.add(batch);
            return each;
          }
          onForgotten();
          const errorCode = Errors.DUPLICATE_SEQUENCE_NUMBER;
          return { ...each, errorCode, baseOffset: NO_OFFSET };
        }),
      }));
      const forgotten = { ...response, responses } as never;
      return encodeResponseFrame(
        produceApi as never,
        apiVersion,
        correlationId,
        forgotten,
      ).subarray(FRAME_SIZE_BYTES);
    },
  };
}

/** By topic and partition: what tells one batch from all others. Only of producers with sequences. */
function batchesIn({ topicData }: ProduceRequest): ReadonlyMap<string, string> {
  const batches = new Map<string, string>();
  for (const { name, partitionData } of topicData) {
    for (const { index, records } of partitionData) {
      const header = readBatchHeader(Buffer.from(records ?? []), 0);
      if (header === undefined || header.producerId < 0) continue;
      const { producerId, producerEpoch, baseSequence } = header;
      const key = `${name}-${index}`;
      batches.set(key, `${key} ${producerId} ${producerEpoch} ${baseSequence}`);
    }
  }
  return batches;
}
