/** A connector that changes requests and answers on their way: how planted bugs get into a client. */
import type { Api } from '../kafka/protocol/api.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../kafka/protocol/codec.ts';
import type { BrokerConnection, BrokerConnector, RequestHeader } from '../kafka/wire.ts';

/** Sends a body of the same API and version. */
export type Exchange = (body: Uint8Array) => Promise<Buffer>;
export type Rewrite = (
  header: RequestHeader,
  body: Uint8Array,
  exchange: Exchange,
  connection: BrokerConnection,
) => Promise<Buffer>;

export function rewritingConnector(connector: BrokerConnector, rewrite: Rewrite): BrokerConnector {
  return {
    connect: async (address, purpose) => {
      const connection = await connector.connect(address, purpose);
      return {
        get isOpen() {
          return connection.isOpen;
        },
        close: () => connection.close(),
        request: (header, body, timeoutMs) =>
          rewrite(
            header,
            body,
            (rewritten) => connection.request(header, rewritten, timeoutMs),
            connection,
          ),
      };
    },
  };
}

/** Changes every request of one API. */
export function changingRequests<Request extends object>(
  api: Api<Request, unknown>,
  change: (request: Request) => Request,
): (connector: BrokerConnector) => BrokerConnector {
  return (connector) =>
    rewritingConnector(connector, (header, body, exchange) => {
      if (header.apiKey !== api.key) return exchange(body);
      const version = header.apiVersion;
      const request = decodeRequest<Request>(api as never, version, Buffer.from(body));
      return exchange(encodeRequest(api, version, change(request)));
    });
}

/** Changes every answer of one API. */
export function changingAnswers<Response extends object>(
  api: Api<never, Response>,
  change: (response: Response) => Response,
): (connector: BrokerConnector) => BrokerConnector {
  return (connector) =>
    rewritingConnector(connector, async (header, body, exchange) => {
      const answer = await exchange(body);
      if (header.apiKey !== api.key) return answer;
      const version = header.apiVersion;
      const response = decodeResponse<Response>(api, version, answer);
      return encodeResponse(api as never, version, change(response) as never);
    });
}
