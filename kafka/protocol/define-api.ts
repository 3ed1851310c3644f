/** How a message file states its API: the contract of api.ts, with the schemas' exact types kept. */
import type { Api } from './api.ts';
import {
  type AnySchema,
  type Fields,
  type Infer,
  parseRange,
  struct,
  type Written,
} from './schema.ts';

/** An Api that also knows both directions of both messages: what the broker reads and writes. */
export interface MessageApi<Request extends AnySchema, Response extends AnySchema>
  extends Api<Written<Request>, Infer<Response>> {
  readonly request: Request;
  readonly response: Response;
}

type AnyApi = { readonly request: AnySchema; readonly response: AnySchema };
/** A request as its sender writes it: fields with a default may be left out. */
export type RequestOf<A extends AnyApi> = Written<A['request']>;
/** A response as its reader sees it: all fields. */
export type ResponseOf<A extends AnyApi> = Infer<A['response']>;
/** A request as the broker sees it. */
export type ReceivedRequestOf<A extends AnyApi> = Infer<A['request']>;
/** A response as the broker writes it. */
export type WrittenResponseOf<A extends AnyApi> = Written<A['response']>;

type StructOf<F extends Fields> = ReturnType<typeof struct<F>>;

/** `versions` as '3-13'; `flexibleFrom` is left out when no version is flexible. */
export function defineApi<Request extends Fields, Response extends Fields>(definition: {
  readonly key: number;
  readonly name: string;
  readonly versions: string;
  readonly flexibleFrom?: number;
  readonly request: Request;
  readonly response: Response;
}): MessageApi<StructOf<Request>, StructOf<Response>> {
  const versions = parseRange(definition.versions);
  return {
    key: definition.key,
    name: definition.name,
    minVersion: versions.from,
    maxVersion: versions.to,
    flexibleFrom: definition.flexibleFrom ?? Number.POSITIVE_INFINITY,
    request: struct(definition.request),
    response: struct(definition.response),
  };
}
