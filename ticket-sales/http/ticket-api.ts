/** Puts the API together: routes, routing to owners, waiters, metrics. Starts nothing. */
import { systemClock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { Authenticate } from '../../interactive-queries/auth/access.ts';
import { jwtAuthenticator } from '../../interactive-queries/auth/jwt-authenticator.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import { Metrics } from '../../interactive-queries/metrics.ts';
import { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { PeerAddresses } from '../../interactive-queries/peer-addresses.ts';
import { Peers } from '../../interactive-queries/peers.ts';
import type { HostInfo, QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import { documentRoutes } from '../../interactive-queries/routes/document-routes.ts';
import { probeRoutes } from '../../interactive-queries/routes/probe-routes.ts';
import { storeRoutes } from '../../interactive-queries/routes/store-routes.ts';
import { type AppConfig, peerEntries } from '../app/config.ts';
import { countDeadLetters, TicketMetrics, watchSale } from '../app/ticket-metrics.ts';
import { catalogRoutes } from '../catalog/catalog-routes.ts';
import type { CommandSender } from '../command-sender.ts';
import { DecisionWaiters } from '../decision-waiters.ts';
import { festivalApi } from '../festival/festival-api.ts';
import { READ_MODEL_TOPIC } from '../festival/read-model.ts';
import { JobFigures } from '../jobs/job-figures.ts';
import { watchJobs } from '../jobs/job-metrics.ts';
import type { OrderSerdes } from '../orders/order-records.ts';
import { reportPayment } from '../payments/report-payment.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { eventRoutes } from './events/event-routes.ts';
import { InventoryStreams } from './events/inventory-stream.ts';
import { saleRoutes } from './events/sale-routes.ts';
import { ZoneDirectory } from './events/zone-directory.ts';
import { orderApi } from './orders/order-routes.ts';
import { IntakeDoor } from './purchases/intake-door.ts';
import { paymentRoutes } from './purchases/payment-routes.ts';
import { purchaseRoutes } from './purchases/purchase-routes.ts';
import { PurchaseStreams } from './purchases/purchase-stream.ts';
import { reportRoutes } from './reports/report-routes.ts';
import { ADMINS } from './roles.ts';
import { seatRoutes } from './seats/seat-routes.ts';
import { streamRoutes } from './stream-routes.ts';

export interface TicketApiDeps {
  readonly config: AppConfig;
  readonly streams: QueryableStreams;
  readonly sender: CommandSender;
  readonly serdes: TicketSerdes;
  /** undefined = no orders are taken. */
  readonly orders?: OrderSerdes | undefined;
  /** Whether purchases of events that ask for it go through the intake. */
  readonly hasIntake?: boolean;
  /** What payment providers sign with. Default: as configured, or none, and no callback is believed. */
  readonly callbackSecrets?: readonly string[];
  readonly log: Log;
  /** How other instances reach this one. */
  readonly self: HostInfo;
  readonly version: string;
}

export interface TicketApi {
  readonly app: HttpApp;
  readonly openApi: object;
  /** Told at /metrics: for the services that run beside. */
  readonly figures: JobFigures;
  /** Readiness says no from now on. */
  stopping(): void;
  /**
   * Requests that run have the time; whoever still waits for a decision after half of it is told 202:
   * what was accepted is in the log. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

export function createTicketApi(deps: TicketApiDeps): TicketApi {
  const { config, streams, sender, serdes, orders, log, self, version } = deps;
  const clock = systemClock;
  const authenticate = authenticator(config, log);
  let isStopping = false;
  const metrics = new Metrics(streams, version);
  const ticketMetrics = new TicketMetrics(metrics);
  const peers = new Peers({
    addresses: new PeerAddresses(peerEntries(config, self)),
    token: config.PEER_TOKEN,
    passesAuthorization: authenticate !== 'none',
    timeoutMs: config.QUERY_TIMEOUT_MS,
    clock,
    onForwarded: (outcome) => metrics.forwarded(outcome),
  });
  const queryTimeoutMs = config.QUERY_TIMEOUT_MS;
  const routing = new OwnerRouting({ streams, peers, self, clock, queryTimeoutMs });
  const waiters = new DecisionWaiters({
    statusSerde: serdes.purchase,
    outcomeSerde: serdes.outcome,
    clock,
    onOutcome: (outcome) => ticketMetrics.decided(outcome),
  });
  streams.onCommitted(
    [TOPICS.purchaseStatus],
    () => true,
    (notice) => waiters.onCommitted(notice),
  );
  watchSale(metrics, streams, waiters);
  countDeadLetters(metrics, streams);
  const figures = new JobFigures();
  watchJobs(metrics, figures, () => clock.nowMs());
  const commands = { topic: TOPICS.commands, serde: serdes.command };
  const events = { topic: TOPICS.events, serde: serdes.event };
  const venues = { topic: TOPICS.venues, serde: serdes.venue };
  const customers = { topic: TOPICS.customers, serde: serdes.customer };
  const zones = new ZoneDirectory(streams, routing, peers);
  const onReplayed = ticketMetrics.replayed;
  const purchases = {
    streams,
    routing,
    peers,
    waiters,
    sender,
    commands,
    zones,
    intake:
      deps.hasIntake === true ? new IntakeDoor({ streams, routing, commands, clock }) : undefined,
    clock,
    onReplayed,
  };
  const own = [
    ...purchaseRoutes(purchases),
    ...streamRoutes({
      purchases: new PurchaseStreams(purchases),
      inventory: new InventoryStreams({ streams, routing, clock }),
    }),
    ...eventRoutes({ streams, routing, sender, commands, events, hasIntake: deps.hasIntake }),
    ...saleRoutes({ streams, routing, sender, commands, events }),
    ...seatRoutes({ streams, routing, sender, commands }),
    ...reportRoutes({
      streams,
      routing,
      bucketMs: config.TICKETS_SALES_BUCKET_MS,
      isIndexed: config.TICKETS_BUYER_QUERIES === 'on',
    }),
    ...paymentRoutes({
      streams,
      routing,
      peers,
      waiters,
      report: reportPayment(sender, serdes),
      secrets: deps.callbackSecrets ?? config.PAYMENT_CALLBACK_SECRETS ?? [],
      clock,
    }),
    ...catalogRoutes({ streams, routing, sender, venues, customers }),
    ...(orders === undefined ? [] : orderApi({ streams, routing, sender, clock }, orders)),
  ];
  const readModel = { topic: READ_MODEL_TOPIC, serde: serdes.festivalReadModel };
  const newKey = systemRandom.uuid;
  const routes = [
    ...own,
    ...festivalApi(config, self, own, { streams, routing, sender, readModel, newKey }),
    ...storeRoutes({ streams, routing, access: ADMINS }),
    ...probeRoutes({ streams, isStopping: () => isStopping }),
  ];
  const info = {
    title: 'Millrace ticket sales',
    version,
    description:
      'Commands go into the log, outcomes come from it; state is read where it is owned.',
    isSecured: authenticate !== 'none',
  };
  const documents = documentRoutes(routes, info, metrics);
  const app = createHttpApp({
    routes: [...routes, ...documents.routes],
    authenticate,
    bodyLimitBytes: config.HTTP_BODY_LIMIT,
    log,
    onAnswered: (route, method, status, durationMs) =>
      metrics.answered(route, method, status, durationMs),
    onProblem: (slug) => metrics.problem(slug),
    headers: {},
    monotonicMs: () => performance.now(),
    limits: { streamsMax: config.SSE_MAX_CLIENTS },
  });
  let closing: Promise<void> | undefined;
  const closeIn = async (graceMs: number) => {
    const cancel = clock.after(graceMs / 2, () => waiters.giveUp());
    await app.close(graceMs);
    cancel();
  };
  metrics.gauge('http_open_streams', 'Streams of server-sent events that are open', [], (set) =>
    set({}, app.streamCount),
  );
  return {
    app,
    openApi: documents.openApi,
    figures,
    stopping: () => {
      isStopping = true;
    },
    close: (graceMs) => {
      closing ??= closeIn(graceMs);
      return closing;
    },
  };
}

/** What config.ts has checked: with AUTH=jwt these three are there. */
function authenticator(config: AppConfig, log: Log): Authenticate | 'none' {
  const { AUTH, AUTH_JWKS_URL, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = config;
  if (AUTH !== 'jwt') return 'none';
  if (AUTH_JWKS_URL === undefined || issuer === undefined || audience === undefined) {
    throw new MillraceError('CONFIG_MISSING', 'AUTH=jwt needs to know whose tokens are good');
  }
  const jwksUrl = new URL(AUTH_JWKS_URL);
  const rolesClaim = config.AUTH_ROLES_CLAIM;
  return jwtAuthenticator({ jwksUrl, issuer, audience, rolesClaim, clock: systemClock, log });
}
