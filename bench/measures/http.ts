/**
 * Buyers at the API: POST with Prefer: wait until decided, and GET of the stock, closed loop over
 * keep-alive connections: each buyer asks again as soon as the answer is there.
 */
import { HttpConnection } from '../kit/http-connection.ts';
import { type Bench, type BenchContext, type Measure, rounded } from '../kit/measure.ts';
import {
  isSaleProven,
  type RunningSale,
  usageFigures,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { percentiles } from '../percentiles.ts';
import { openSale, type Sale } from '../sale-client.ts';

/** As many as a zone may have. */
const CAPACITY = 1_000_000;
const ZONES = 100;
/** Every zone has a twin without stock: who is to be rejected asks there, so that the mix stays as it is. */
const SOLD_OUT = '-sold-out';
const WARM_UP_SHARE = 1 / 3;

interface Mix {
  readonly label: string;
  readonly zones: number;
  /** Of ten purchases. */
  readonly accepted: number;
}

const MIXES: readonly Mix[] = [
  { label: 'POST one zone, 90 % accepted', zones: 1, accepted: 9 },
  { label: 'POST one zone, 10 % accepted', zones: 1, accepted: 1 },
  { label: `POST ${ZONES} zones, 90 % accepted`, zones: ZONES, accepted: 9 },
  { label: `POST ${ZONES} zones, 10 % accepted`, zones: ZONES, accepted: 1 },
];

type Ask = (connection: HttpConnection, index: number) => Promise<number>;

export const measureHttp: Bench = async (context) => {
  const { options } = context;
  const sale: Sale = {
    eventId: `bench-${Date.now().toString(36)}`,
    zones: Array.from({ length: ZONES }, (_, index) => index).flatMap((index) => [
      { zoneId: `zone-${index}`, capacity: CAPACITY },
      { zoneId: `zone-${index}${SOLD_OUT}`, capacity: 0 },
    ]),
  };
  return withSale(context, (app) =>
    withSaleClient(app, async (client) => {
      await openSale(app.process.httpUrl, sale);
      const connections = await Promise.all(
        Array.from({ length: options.connections }, () => HttpConnection.open(app.process.httpUrl)),
      );
      const measures: Measure[] = [];
      for (const mix of MIXES) {
        const buy = buyer(sale, mix, [201, 409]);
        measures.push(await measureLoop(context, app, connections, mix.label, buy));
      }
      const path = `/v1/events/${sale.eventId}/zones/${sale.zones[0]!.zoneId}/inventory`;
      const look: Ask = async (connection) => expected(await connection.get(path), [200]);
      measures.push(await measureLoop(context, app, connections, 'GET inventory', look));
      for (const connection of connections) connection.close();
      const isProven = await isSaleProven(client, sale);
      return measures.map((measure) => ({ ...measure, isProven }));
    }),
  );
};

function buyer(sale: Sale, { label, zones, accepted }: Mix, statuses: readonly number[]): Ask {
  const run = label.replaceAll(/[^a-z0-9]+/gi, '-');
  return async (connection, index) => {
    const body = JSON.stringify({
      eventId: sale.eventId,
      zoneId: `zone-${index % zones}${Math.floor(index / zones) % 10 < accepted ? '' : SOLD_OUT}`,
      buyerId: `buyer-${index}`,
      quantity: 1,
    });
    const headers = `Content-Type: application/json\r\nPrefer: wait=10\r\nIdempotency-Key: ${run}-${index}\r\n`;
    return expected(await connection.post('/v1/purchases', headers, body), statuses);
  };
}

function expected(status: number, statuses: readonly number[]): number {
  if (!statuses.includes(status)) throw new Error(`unexpected answer: HTTP ${status}`);
  return status;
}

async function measureLoop(
  context: BenchContext,
  app: RunningSale,
  connections: readonly HttpConnection[],
  label: string,
  ask: Ask,
): Promise<Measure> {
  const { options, platform, progress } = context;
  const warmUpMs = options.seconds * WARM_UP_SHARE * 1_000;
  const warmUp = await closedLoop(connections, 0, warmUpMs, ask, () => {});
  const before = app.usage();
  let done = 0;
  const looping = closedLoop(
    connections,
    warmUp.length,
    options.seconds * 1_000,
    ask,
    () => done++,
  );
  const startMs = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startMs);
  const latenciesMs = await progress.during(label, options.seconds * 1_000, elapsedMs, looping);
  const seconds = (performance.now() - startMs) / 1_000;
  const { p50, p95, p99, p999 } = percentiles(latenciesMs);
  return {
    bench: 'http',
    on: platform.name,
    label: `${label}, ${connections.length} connections`,
    figures: {
      answersPerSecond: rounded(done / seconds),
      p50Ms: p50,
      p95Ms: p95,
      p99Ms: p99,
      p999Ms: p999,
      ...usageFigures(before, app.usage(), done),
    },
    isProven: undefined,
  };
}

/** Latencies in ms, in the order of the answers. */
async function closedLoop(
  connections: readonly HttpConnection[],
  from: number,
  durationMs: number,
  ask: Ask,
  onAnswer: () => void,
): Promise<Float64Array> {
  const endMs = performance.now() + durationMs;
  const latenciesMs: number[] = [];
  let next = from;
  await Promise.all(
    connections.map(async (connection) => {
      for (let nowMs = performance.now(); nowMs < endMs; ) {
        await ask(connection, next++);
        const answeredMs = performance.now();
        latenciesMs.push(answeredMs - nowMs);
        nowMs = answeredMs;
        onAnswer();
      }
    }),
  );
  return Float64Array.from(latenciesMs);
}
