/** Generic reads of any store, and who owns what: for tools and for looking around. */
import Type from 'typebox';
import { type Serde, toBytes } from '../../schemas/serde.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Access } from '../auth/access.ts';
import { jsonWithEtag } from '../http/etag.ts';
import { Problem, retryAfter } from '../http/problem.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import type { Gathered, OwnerRouting } from '../owner-routing.ts';
import { readQuery } from '../positions.ts';
import type { HostInfo, QueryableStreams } from '../queryable-streams.ts';

export interface StoreRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  /** Who may look into the state as it is. */
  readonly access: Access;
}

const storeParam = { store: Type.String({ pattern: '^[A-Za-z0-9._-]{1,200}$' }) };
const keyParam = { ...storeParam, key: Type.String({ minLength: 1, maxLength: 512 }) };
const unavailable = { 404: { about: 'No such store or key' }, 503: { about: 'Not available now' } };

export function storeRoutes(deps: StoreRoutesDeps): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/stores',
      operationId: 'listStores',
      summary: 'The stores of the topology',
      tag: 'stores',
      access: deps.access,
      answers: { 200: { about: 'Names, partitions and where they are' } },
      handle: () => ({
        status: 200,
        body: {
          items: deps.streams
            .stores()
            .map(({ spec, partitionCount }) => storeView(deps, spec, partitionCount)),
        },
      }),
    },
    {
      method: 'GET',
      path: '/v1/stores/{store}/keys/{key}',
      operationId: 'getStoreKey',
      summary: 'The value of a key, wherever it is',
      tag: 'stores',
      access: deps.access,
      params: keyParam,
      query: readQuery,
      answers: {
        200: { about: 'Key, value and partition' },
        304: { about: 'Unchanged' },
        400: { about: 'The key is not of the store’s type' },
        ...unavailable,
      },
      handle: (request) => getKey(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/stores/{store}/entries',
      operationId: 'listStoreEntries',
      summary: 'Entries of all partitions, in key order within each',
      tag: 'stores',
      access: deps.access,
      params: storeParam,
      query: {
        limit: Type.String({ pattern: '^[1-9][0-9]{0,2}$' }),
        prefix: Type.String({ minLength: 1, maxLength: 256 }),
      },
      answers: {
        200: { about: 'At most `limit` (default 100) entries of each partition' },
        ...unavailable,
      },
      handle: (request) => listEntries(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/stores/{store}/count',
      operationId: 'countStoreEntries',
      summary: 'About how many entries the store has',
      tag: 'stores',
      access: deps.access,
      params: storeParam,
      answers: { 200: { about: 'The estimate' }, ...unavailable },
      handle: (request) => countEntries(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/metadata/instances',
      operationId: 'listInstances',
      summary: 'The instances and the store partitions they have',
      tag: 'metadata',
      access: deps.access,
      answers: { 200: { about: 'The instances' } },
      handle: () => ({
        status: 200,
        body: {
          items: deps.streams.instances().map((instance) => ({
            host: hostText(instance.host),
            processId: instance.processId,
            isLocal: instance.isLocal,
            active: Object.fromEntries(instance.active),
            standby: Object.fromEntries(instance.standby),
          })),
        },
      }),
    },
    {
      method: 'GET',
      path: '/v1/metadata/stores/{store}/keys/{key}',
      operationId: 'locateStoreKey',
      summary: 'Who owns a key, by the partitioning of producers',
      tag: 'metadata',
      access: deps.access,
      params: keyParam,
      answers: { 200: { about: 'Partition and hosts' }, ...unavailable },
      handle: (request) => {
        const spec = specOf(deps, request);
        const location = deps.streams.locateKey(
          spec.name,
          toBytes(spec.keySerde, keyOf(spec, request)),
        );
        return {
          status: 200,
          body: {
            partition: location.partition,
            active: location.active === undefined ? null : hostText(location.active),
            standbys: location.standbys.map(hostText),
            isLocal: location.isLocal,
          },
        };
      },
    },
    {
      method: 'GET',
      path: '/v1/metadata/tasks',
      operationId: 'listTasks',
      summary: 'The tasks of this instance',
      tag: 'metadata',
      access: deps.access,
      answers: { 200: { about: 'Role, status, lag and restore progress' } },
      handle: () => ({
        status: 200,
        body: { state: deps.streams.state(), items: deps.streams.tasks() },
      }),
    },
  ];
}

/** Every partition is asked: a store may be partitioned by something else than its own key. */
async function getKey(deps: StoreRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const spec = specOf(deps, request);
  const key = keyOf(spec, request);
  const { items, headers } = await deps.routing.search(spec.name, request, async (store) => {
    const value = store.get(key);
    return value === undefined ? [] : [{ key: plain(key), value: plain(value) }];
  });
  if (deps.routing.asksForPart(request)) return partOf({ items, headers });
  if (items[0] === undefined) throw new Problem('not-found', { detail: 'there is no such key' });
  return jsonWithEtag(request, items[0], undefined, headers);
}

async function listEntries(deps: StoreRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const limit = Number(request.query['limit'] ?? 100);
  const prefix = request.query['prefix'];
  const range = prefix === undefined ? { limit } : { limit, prefix: Buffer.from(prefix) };
  const { name } = specOf(deps, request);
  const gathered = await deps.routing.gather(name, request, async (store) => {
    const entries: object[] = [];
    for await (const [key, value] of store.range(range)) {
      entries.push({ key: plain(key), value: plain(value) });
    }
    return entries;
  });
  return partOf(gathered);
}

async function countEntries(deps: StoreRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const { name } = specOf(deps, request);
  const { items, headers } = await deps.routing.gather(name, request, async (store) => [
    await store.approximateEntryCount(),
  ]);
  if (deps.routing.asksForPart(request)) return partOf({ items, headers });
  const approximateCount = items.reduce((sum, count) => sum + count, 0);
  return { status: 200, headers, body: { approximateCount } };
}

/** What a peer is answered, too: its part of the whole. */
function partOf({ items, headers }: Gathered<unknown>): RouteResponse {
  return { status: 200, headers, body: { items } };
}

/** Throws 404, or 503 while the engine has not said yet what there is. */
function specOf({ streams }: StoreRoutesDeps, request: RouteRequest): StoreSpec {
  const stores = streams.stores();
  const found = stores.find(({ spec }) => spec.name === request.params['store']);
  if (found !== undefined) return found.spec;
  if (stores.length === 0) throw new Problem('rebalancing', retryAfter(1));
  throw new Problem('unknown-store');
}

/** Path text as a key of the store: text where the serde takes it, else a number. */
function keyOf(spec: StoreSpec, request: RouteRequest): unknown {
  const text = request.params['key']!;
  const candidates: unknown[] = [text, Number(text)];
  const key = candidates.find((candidate) => takes(spec.keySerde, candidate));
  if (key === undefined) throw new Problem('key-codec');
  return key;
}

function takes(serde: Serde<unknown>, key: unknown): boolean {
  try {
    toBytes(serde, key);
    return true;
  } catch {
    return false;
  }
}

/** What JSON can say of any value. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Buffer.isBuffer(value)) return { base64: value.toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function storeView(deps: StoreRoutesDeps, spec: StoreSpec, partitionCount: number): object {
  return {
    name: spec.name,
    kind: spec.kind,
    persistence: spec.persistence,
    logged: spec.changelog !== false,
    partitions: Array.from({ length: partitionCount }, (_, partition) => {
      const { active, isLocal } = deps.streams.locatePartition(spec.name, partition);
      return { partition, active: active === undefined ? null : hostText(active), isLocal };
    }),
  };
}

function hostText(host: HostInfo): string {
  return `${host.host}:${host.port}`;
}
