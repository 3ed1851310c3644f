/** /openapi.json, /docs and /metrics. */
import Type from 'typebox';
import { docsPage } from '../docs-page.ts';
import type { Route } from '../http/route.ts';
import type { Metrics } from '../metrics.ts';
import { type ApiInfo, openApiDocument } from '../openapi.ts';

/** `others` are all routes but these; `openApi` describes all. */
export function documentRoutes(
  others: readonly Route[],
  info: ApiInfo,
  metrics: Metrics,
): { readonly routes: readonly Route[]; readonly openApi: object } {
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      operationId: 'getOpenApi',
      summary: 'This document',
      tag: 'operations',
      access: 'open',
      answers: { 200: { about: 'OpenAPI 3.1', body: Type.Object({}) } },
      handle: () => ({
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: document,
      }),
    },
    {
      method: 'GET',
      path: '/docs',
      operationId: 'getDocs',
      summary: 'The API for people',
      tag: 'operations',
      access: 'open',
      answers: { 200: { about: 'A page', body: Type.String(), mediaType: 'text/html' } },
      handle: () => ({
        status: 200,
        headers: {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
        },
        body: page,
      }),
    },
    metricsRoute(metrics),
  ];
  const all = [...others, ...routes];
  const openApi = openApiDocument(all, info);
  const document = JSON.stringify(openApi);
  const page = docsPage(all, info);
  return { routes, openApi };
}

export function metricsRoute(metrics: Metrics): Route {
  return {
    method: 'GET',
    path: '/metrics',
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    tag: 'operations',
    access: 'open',
    answers: { 200: { about: 'Text format', body: Type.String(), mediaType: 'text/plain' } },
    handle: async () => ({
      status: 200,
      headers: { 'Content-Type': metrics.contentType },
      body: await metrics.text(),
    }),
  };
}
