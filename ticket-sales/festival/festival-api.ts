/** The festival as the configuration wants it: no routes, while no event is the festival. */
import { MillraceError } from '../../base/errors.ts';
import type { Route } from '../../interactive-queries/http/route.ts';
import { TokenBuckets } from '../../interactive-queries/http/token-buckets.ts';
import type { HostInfo } from '../../interactive-queries/queryable-streams.ts';
import { type AppConfig, hostInUrl, isLoopback } from '../app/config.ts';
import type { FestivalDeps } from './festival-desk.ts';
import { festivalRoutes } from './festival-routes.ts';
import type { FestivalOptions } from './festival-topology.ts';
import type { FestivalAddress } from './public-url.ts';

const EVERY_ADDRESS = ['0.0.0.0', '::'];
const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]'];

/** null: no event is the festival. */
export function festivalOptions(config: AppConfig): FestivalOptions | null {
  const { FESTIVAL_EVENT: eventId, FESTIVAL_INVENTORY_TOPIC: inventoryTopic } = config;
  const { FESTIVAL_PAYMENT_WAIT_MS: paymentWaitMs } = config;
  return eventId === undefined ? null : { eventId, inventoryTopic, paymentWaitMs };
}

/** `own`: our routes, that do the work. */
export function festivalApi(
  config: AppConfig,
  self: HostInfo,
  own: readonly Route[],
  deps: Omit<FestivalDeps, 'eventId' | 'address' | 'own' | 'limit'>,
): Route[] {
  const eventId = config.FESTIVAL_EVENT;
  if (eventId === undefined) return [];
  return festivalRoutes({
    ...deps,
    eventId,
    address: addressOf(config, self),
    limit: limitOf(config),
    own: {
      requestPurchase: named(own, 'requestPurchase'),
      getPurchase: named(own, 'getPurchase'),
      getInventory: named(own, 'getInventory'),
    },
  });
}

/** Twice the rate at once: browsers and tests ask in bunches. */
function limitOf({ FESTIVAL_REQUESTS_PER_SECOND: perSecond }: AppConfig): TokenBuckets | undefined {
  if (perSecond === 0) return undefined;
  return new TokenBuckets({
    perSecond,
    burst: 2 * perSecond,
    monotonicMs: () => performance.now(),
  });
}

function addressOf(config: AppConfig, self: HostInfo): FestivalAddress {
  const { HTTP_HOST } = config;
  const isLocal = isLoopback(HTTP_HOST) || EVERY_ADDRESS.includes(HTTP_HOST);
  const names = [hostInUrl(HTTP_HOST), self.host, ...(isLocal ? LOOPBACK_NAMES : [])];
  return {
    publicUrl: config.FESTIVAL_PUBLIC_URL,
    basePath: config.FESTIVAL_BASE_PATH,
    ownHosts: new Set(names.map((name) => name.toLowerCase())),
    self,
  };
}

function named(routes: readonly Route[], operationId: string): Route {
  const found = routes.find((route) => route.operationId === operationId);
  if (found === undefined) throw new MillraceError('INTERNAL', `there is no ${operationId}`);
  return found;
}
