/** The OpenAPI 3.1 document, made from the route table: the two cannot disagree. */
import type { TSchema } from 'typebox';
import { PROBLEMS } from './http/problem.ts';
import type { Route } from './http/route.ts';

export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** Whether callers must have a token. */
  readonly isSecured: boolean;
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status'],
  properties: {
    type: {
      type: 'string',
      enum: Object.keys(PROBLEMS).map((slug) => `urn:millrace:problem:${slug}`),
    },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
      },
    },
  },
};

const BEARER = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'An access token of the issuer; its roles decide what it is good for',
};

export function openApiDocument(routes: readonly Route[], { isSecured, ...info }: ApiInfo): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: operation(route, isSecured),
    };
  }
  const components = {
    schemas: { Problem: problemSchema },
    ...(isSecured ? { securitySchemes: { bearer: BEARER } } : {}),
  };
  return { openapi: '3.1.0', info, paths, components };
}

function operation(route: Route, isSecured: boolean): object {
  const parameters = [
    ...parametersIn('path', route.params, true),
    ...parametersIn('query', route.query, false),
    ...Object.entries(route.requestHeaders ?? {}).map(([name, { required, about }]) => ({
      name,
      in: 'header',
      required,
      description: about,
      schema: { type: 'string' },
    })),
  ];
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { 'application/json': { schema: route.body } } },
        }),
    ...(isSecured ? { security: security(route) } : {}),
    responses: responses(route, isSecured),
  };
}

/** One of the roles is enough: an alternative for each. */
function security({ access }: Route): object[] {
  return access === 'open' ? [] : access.map((role) => ({ bearer: [role] }));
}

/** What the route names, and what every route may answer: RFC 9457 in any case. */
function responses(route: Route, isSecured: boolean): object {
  const { answers, params, query, body, access, invalidAs } = route;
  const named = Object.entries(answers).map(([status, answer]) => [
    status,
    response(Number(status), answer),
  ]);
  return {
    ...(params === undefined || invalidAs !== undefined
      ? {}
      : { 404: problem('There is no such thing') }),
    ...(query === undefined && body === undefined ? {} : { 400: problem('It cannot be read') }),
    ...(body === undefined
      ? {}
      : {
          413: problem('The body is too large'),
          415: problem('The body is not JSON in UTF-8'),
          ...(invalidAs === undefined
            ? { 422: problem('The body has invalid values; `errors` names them') }
            : {}),
        }),
    ...(isSecured && access !== 'open' ? DENIALS : {}),
    ...Object.fromEntries(named),
    default: problem('Any other problem'),
  };
}

function parametersIn(
  place: 'path' | 'query',
  schemas: Readonly<Record<string, TSchema>> | undefined,
  required: boolean,
): object[] {
  return Object.entries(schemas ?? {}).map(([name, schema]) => ({
    name,
    in: place,
    required,
    schema,
  }));
}

function response(status: number, answer: Route['answers'][number]): object {
  const description = answer.about;
  const isProblem = status >= 400 && answer.mediaType === undefined && answer.body === undefined;
  if (isProblem) return problem(description);
  if (answer.body === undefined) return { description };
  const content = { [answer.mediaType ?? 'application/json']: { schema: answer.body } };
  return { description, content };
}

function problem(description: string): object {
  const schema = { $ref: '#/components/schemas/Problem' };
  return { description, content: { 'application/problem+json': { schema } } };
}

const DENIALS = {
  401: {
    ...problem('No token, or none that is valid'),
    headers: {
      'WWW-Authenticate': { description: 'What is wrong (RFC 6750)', schema: { type: 'string' } },
    },
  },
  403: problem('The token is not good for this'),
};
