/**
 * The shape of a request handler: one per API, registered by api key in broker.ts. A handler gets a
 * decoded request and gives the response to encode; it knows nothing of frames and sockets.
 */
import type {
  MessageApi,
  ReceivedRequestOf,
  WrittenResponseOf,
} from '../kafka/protocol/define-api.ts';
import type { AnySchema } from '../kafka/protocol/schema.ts';
import type { ConnectionContext } from './ports.ts';

/** Who asks, and in which version of the protocol. */
export interface RequestContext {
  readonly version: number;
  readonly connection: ConnectionContext;
  readonly clientId: string | null;
  /** Aborts when the connection is gone: whoever waits (a long poll) stops waiting. */
  readonly closed: AbortSignal;
}

type AnyMessageApi = MessageApi<AnySchema, AnySchema>;

export interface Handler<A extends AnyMessageApi> {
  readonly api: A;
  /** What ApiVersions advertises, both inclusive, within the range of `api`. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /**
   * Resolves with the answer; undefined = nothing to answer (Produce with acks=0).
   * Whatever Kafka expresses as an error code is in the answer; a rejection closes the connection.
   */
  handle(
    request: ReceivedRequestOf<A>,
    context: RequestContext,
  ): Promise<WrittenResponseOf<A> | undefined>;
}
