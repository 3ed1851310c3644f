/** Ties what a handler does to the exact types of its API's messages. */
import type { Api } from '../../kafka/protocol/api.ts';
import type {
  MessageApi,
  ReceivedRequestOf,
  WrittenResponseOf,
} from '../../kafka/protocol/define-api.ts';
import type { AnySchema } from '../../kafka/protocol/schema.ts';
import type { RequestContext } from '../handler.ts';

/** A handler whose types have served their purpose: broker.ts decodes and encodes by its api. */
export interface AnyHandler {
  readonly api: Api<unknown, unknown>;
  readonly minVersion: number;
  readonly maxVersion: number;
  handle(request: unknown, context: RequestContext): Promise<unknown>;
}

/** Advertises all versions of the API, or fewer. */
export function defineHandler<Request extends AnySchema, Response extends AnySchema>(
  api: MessageApi<Request, Response>,
  handle: (
    request: ReceivedRequestOf<MessageApi<Request, Response>>,
    context: RequestContext,
  ) =>
    | WrittenResponseOf<MessageApi<Request, Response>>
    | Promise<WrittenResponseOf<MessageApi<Request, Response>>>,
  versions: { readonly minVersion?: number; readonly maxVersion?: number } = {},
): AnyHandler {
  return {
    api,
    minVersion: versions.minVersion ?? api.minVersion,
    maxVersion: versions.maxVersion ?? api.maxVersion,
    handle: async (request, context) =>
      handle(request as ReceivedRequestOf<MessageApi<Request, Response>>, context),
  };
}
