/** A client as a generator makes it from the festival's OpenAPI document: it knows nothing but that. */
import { readFileSync } from 'node:fs';
import { type OpenApiDocument, undocumented } from '../../kit/check-openapi.ts';

export const CONTRACT = JSON.parse(
  readFileSync(new URL('../../vectors/festival-openapi.json', import.meta.url), 'utf8'),
) as OpenApiDocument;

export interface ContractAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly mediaType: string | null;
  readonly headers: Headers;
  /** Why it is not what the contract promises; undefined = it is. */
  readonly flaw: string | undefined;
}

type Arguments = {
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** `baseUrl` stands for the document's server, without a slash at its end. */
export function contractClient(baseUrl: string) {
  return async (operationId: string, given: Arguments = {}): Promise<ContractAnswer> => {
    const { path, method } = operation(operationId);
    const url = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(given.params?.[name] ?? ''),
    );
    const { body } = given;
    const answer = await fetch(`${baseUrl}${url}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...given.headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const mediaType = answer.headers.get('content-type');
    const text = await answer.text();
    const json = JSON.parse(text) as Record<string, unknown>;
    const { status } = answer;
    const flaw = undocumented(CONTRACT, path, method, { status, mediaType, body: json });
    return { status, body: json, mediaType, headers: answer.headers, flaw };
  };
}

function operation(operationId: string): { readonly path: string; readonly method: string } {
  for (const [path, methods] of Object.entries(CONTRACT.paths)) {
    for (const [method, found] of Object.entries(methods)) {
      if (found.operationId === operationId) return { path, method: method.toUpperCase() };
    }
  }
  throw new Error(`the contract has no ${operationId}`);
}
