/**
 * The shape of a request handler: one per API, registered by api key in broker.ts. A handler gets a
 * decoded request and gives the response to encode; it knows nothing of frames and sockets.
 */
import type { Api } from '../kafka/protocol/api.ts';
import type { ConnectionContext } from './ports.ts';

/** Who asks, and in which version of the protocol. */
export interface RequestContext {
  readonly version: number;
  readonly connection: ConnectionContext;
  readonly clientId: string | null;
  /** Aborts when the connection is gone: whoever waits (a long poll) stops waiting. */
  readonly closed: AbortSignal;
}

export interface Handler<Request, Response> {
  readonly api: Api<Request, Response>;
  /** What ApiVersions advertises, both inclusive, within the range of `api`. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /**
   * Resolves with the answer; undefined = nothing to answer (Produce with acks=0).
   * Whatever Kafka expresses as an error code is in the answer; a rejection closes the connection.
   */
  handle(request: Request, context: RequestContext): Promise<Response | undefined>;
}
