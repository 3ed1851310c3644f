/**
 * Venues and customers over HTTP. A PUT replaces what is there and is answered with what the table
 * says afterwards; definitions are small and change rarely, so nobody is told of a conflict.
 */
import Type from 'typebox';
import { jsonWithEtag } from '../../interactive-queries/http/etag.ts';
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import type { Route, RouteRequest, RouteResponse } from '../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { positionAfter, readQuery } from '../../interactive-queries/positions.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../stores/state-store.ts';
import type { CommandSender } from '../command-sender.ts';
import type { Customer, Venue, VenueMentions } from '../domain/catalog.ts';
import { asGet, read } from '../http/own-reads.ts';
import { BUYERS, mayActFor, OPERATORS } from '../http/roles.ts';
import { idSchema } from '../http/views.ts';
import type { TopicOf } from '../records.ts';
import { CATALOG_STORES } from './catalog-tables.ts';
import {
  customerRequestSchema,
  customerSchema,
  customerView,
  venueMentionsSchema,
  venueRequestSchema,
  venueSchema,
  venueView,
} from './catalog-views.ts';

const UNKNOWN_PER_PARTITION_MAX = 1_000;

export interface CatalogReads {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
}

export interface CatalogRoutesDeps extends CatalogReads {
  readonly sender: CommandSender;
  readonly venues: TopicOf<Venue>;
  readonly customers: TopicOf<Customer>;
}

export function catalogRoutes(deps: CatalogRoutesDeps): Route[] {
  return [...venueRoutes(deps), unknownVenuesRoute(deps), ...customerRoutes(deps)];
}

const unavailable = { 503: { about: 'The state is not available now' } };

function venueRoutes(deps: CatalogRoutesDeps): Route[] {
  const path = '/v1/venues/{venueId}';
  const venue = { params: { venueId: idSchema }, tag: 'catalog', path };
  return [
    {
      ...venue,
      method: 'PUT',
      operationId: 'putVenue',
      summary: 'Define a venue, or change it',
      access: OPERATORS,
      body: venueRequestSchema,
      answers: writeAnswers(venueSchema),
      handle: (request) => {
        const venueId = request.params['venueId']!;
        const { name, address = null } = request.body as Omit<Venue, 'address'> & {
          address?: string;
        };
        const get = (asked: RouteRequest) => getVenue(deps, asked);
        const target = `/v1/venues/${venueId}`;
        return put(deps, deps.venues, { venueId, name, address }, venueId, {
          request,
          target,
          get,
        });
      },
    },
    {
      ...venue,
      method: 'GET',
      operationId: 'getVenue',
      summary: 'A venue',
      access: BUYERS,
      query: readQuery,
      answers: readAnswers('The venue', venueSchema),
      handle: (request) => getVenue(deps, request),
    },
  ];
}

function unknownVenuesRoute({ routing }: CatalogRoutesDeps): Route {
  return {
    method: 'GET',
    path: '/v1/unknown-venues',
    operationId: 'listUnknownVenues',
    summary: 'Venues that events name and nobody has defined',
    tag: 'catalog',
    access: OPERATORS,
    answers: {
      200: { about: 'The venues', body: Type.Object({ items: Type.Array(venueMentionsSchema) }) },
      ...unavailable,
    },
    handle: async (request) => {
      const { items, headers } = await routing.gather(
        CATALOG_STORES.unknownVenues,
        request,
        async (store) => {
          const mentions = store as ReadOnlyKeyValueStore<unknown, VenueMentions>;
          const found: VenueMentions[] = [];
          for await (const [, mention] of mentions.range({ limit: UNKNOWN_PER_PARTITION_MAX })) {
            found.push(mention);
          }
          return found;
        },
      );
      return jsonWithEtag(request, { items }, undefined, headers);
    },
  };
}

function customerRoutes(deps: CatalogRoutesDeps): Route[] {
  const path = '/v1/customers/{customerId}';
  const customer = { params: { customerId: idSchema }, tag: 'catalog', path };
  return [
    {
      ...customer,
      method: 'PUT',
      operationId: 'putCustomer',
      summary: 'Register a customer, or change what is known of one',
      access: OPERATORS,
      body: customerRequestSchema,
      answers: writeAnswers(customerSchema),
      handle: (request) => {
        const customerId = request.params['customerId']!;
        const { name, email = null } = request.body as Omit<Customer, 'email'> & {
          email?: string;
        };
        const get = (asked: RouteRequest) => getCustomer(deps, asked);
        const target = `/v1/customers/${customerId}`;
        const value = { customerId, name, email };
        return put(deps, deps.customers, value, customerId, { request, target, get });
      },
    },
    {
      ...customer,
      method: 'GET',
      operationId: 'getCustomer',
      summary: 'A customer: himself, or for operators any',
      access: BUYERS,
      query: readQuery,
      answers: readAnswers('The customer', customerSchema),
      handle: (request) => getCustomer(deps, request),
    },
  ];
}

function writeAnswers(body: Route['body'] & {}): Route['answers'] {
  return {
    200: { about: 'It is so now', body },
    201: { about: 'Created', body },
    422: { about: 'Invalid values' },
    ...unavailable,
  };
}

function readAnswers(about: string, body: Route['body'] & {}): Route['answers'] {
  return {
    200: { about, body },
    304: { about: 'Unchanged' },
    404: { about: 'There is no such thing' },
    ...unavailable,
  };
}

export function getVenue(
  deps: CatalogReads,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const venueId = request.params['venueId']!;
  return answer<Venue>(deps, CATALOG_STORES.venues, venueId, request, (found) => {
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such venue' });
    return venueView(found);
  });
}

/** Somebody else's customer record is no record at all: who guesses ids learns nothing. */
function getCustomer(
  deps: CatalogReads,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const customerId = request.params['customerId']!;
  return answer<Customer>(deps, CATALOG_STORES.customers, customerId, request, (found) => {
    if (found === undefined || !mayActFor(request.caller, customerId))
      throw new Problem('not-found', { detail: 'there is no such customer' });
    return customerView(found);
  });
}

function answer<V>(
  { streams, routing }: CatalogReads,
  store: string,
  key: string,
  request: RouteRequest,
  view: (found: V | undefined) => Record<string, unknown>,
): RouteResponse | Promise<RouteResponse> {
  const location = streams.locateKey(store, Buffer.from(key));
  return routing.answer<V>(store, location, request, (table) =>
    jsonWithEtag(request, view(table.get(key))),
  );
}

interface Resource {
  readonly request: RouteRequest;
  readonly target: string;
  get(request: RouteRequest): RouteResponse | Promise<RouteResponse>;
}

/** 201 when there was nothing before, else 200. */
async function put<V>(
  { sender }: CatalogRoutesDeps,
  topic: TopicOf<V>,
  value: V,
  key: string,
  { request, target, get }: Resource,
): Promise<RouteResponse> {
  const before = await read(() => get(asGet(request, target)));
  const sent = await sender.send(topic, key, value);
  const position = positionAfter(topic.topic, sent);
  const after = await read(() => get(asGet(request, target, position)));
  if (after === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  if (before !== undefined) return { status: 200, body: after };
  return { status: 201, headers: { Location: target }, body: after };
}
