/**
 * Buyers at the API: POST of a purchase, answered with the decision, in closed loop over keep-alive
 * connections. Rivals get the same requests, and their books are audited.
 */
import { randomUUID } from 'node:crypto';
import {
  type Ask,
  type LoopTarget,
  measureClosedLoop,
  withConnections,
} from '../kit/load/closed-loop.ts';
import type { Bench, BenchContext, Measure } from '../kit/measure.ts';
import {
  httpTarget,
  isSaleProven,
  measureOf,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import type { HttpRival } from '../rivals/rival.ts';
import { openSale, type Sale } from '../sale-client.ts';

/** As many as a zone may have. */
const CAPACITY = 1_000_000;
const ZONES = 100;
/** Every zone has a twin without stock: who is to be rejected asks there, so that the mix stays as it is. */
const SOLD_OUT = '-sold-out';
/** One request of a hundred repeats the one before it. */
const REPEAT_EVERY = 100;
const [SOLD, REJECTED] = [201, 409];

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

export const measureHttp: Bench = (context) =>
  context.rival?.kind === 'http' ? measureRival(context, context.rival) : measureOurs(context);

function measureOurs(context: BenchContext): Promise<Measure[]> {
  return withSale(context, async (app) => {
    const target = httpTarget(app);
    const sale = httpSale();
    await openSale(target.url, sale);
    const { measures } = await measureMixes(context, target, sale);
    const isProven = await withSaleClient(context, app, (client) => isSaleProven(client, sale));
    return measures.map((measure) => ({ ...measure, isProven }));
  });
}

async function measureRival(context: BenchContext, rival: HttpRival): Promise<Measure[]> {
  const sale = httpSale();
  const office = await rival.start(context.platform.directory, sale.zones, []);
  try {
    const { measures, sold } = await measureMixes(context, office, sale);
    const isProven = await office.audit(sold);
    return measures.map((measure) => ({ ...measure, isProven }));
  } finally {
    await office.stop();
  }
}

function httpSale(): Sale {
  return {
    eventId: `bench-${Date.now().toString(36)}`,
    zones: Array.from({ length: ZONES }, (_, index) => index).flatMap((index) => [
      { zoneId: `zone-${index}`, capacity: CAPACITY },
      { zoneId: `zone-${index}${SOLD_OUT}`, capacity: 0 },
    ]),
  };
}

async function measureMixes(context: BenchContext, target: LoopTarget, sale: Sale) {
  const measures: Measure[] = [];
  let sold = 0;
  await withConnections(target.url, context.options.connections, async (connections) => {
    for (const mix of MIXES) {
      const buy = buyer(sale, mix, () => sold++);
      const measured = await measureClosedLoop(context, target, connections, mix.label, buy);
      measures.push(measureOf(context, { bench: 'http', ...measured, isProven: undefined }));
    }
  });
  return { measures, sold };
}

function buyer({ eventId }: Sale, { zones, accepted }: Mix, onSold: () => void): Ask {
  const run = randomUUID().slice(0, 8);
  return async (connection, index) => {
    const isRepeat = index % REPEAT_EVERY === REPEAT_EVERY - 1;
    const purchase = isRepeat ? index - 1 : index;
    const body = JSON.stringify({
      eventId,
      zoneId: `zone-${purchase % zones}${Math.floor(purchase / zones) % 10 < accepted ? '' : SOLD_OUT}`,
      buyerId: `buyer-${purchase}`,
      quantity: 1,
    });
    const key = `${run}-${scattered(purchase)}`;
    const headers = `Content-Type: application/json\r\nPrefer: wait=10\r\nIdempotency-Key: ${key}\r\n`;
    const status = await connection.post('/v1/purchases', headers, body);
    if (status !== SOLD && status !== REJECTED)
      throw new Error(`unexpected answer: HTTP ${status}`);
    if (status === SOLD && !isRepeat) onSold();
  };
}

/** The rest of a uuid: neighbours in time are no neighbours in an index, as with any random id. */
function scattered(index: number): string {
  const mixed = Math.imul(index ^ (index >>> 16), 0x45d9f3b) >>> 0;
  const hex = mixed.toString(16).padStart(8, '0');
  return `${hex.slice(0, 4)}-4${hex.slice(4, 7)}-8000-${index.toString(16).padStart(12, '0')}`;
}
