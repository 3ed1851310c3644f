/** Readers at the API: GET of a zone's stock, in closed loop over keep-alive connections. */
import {
  type Ask,
  type LoopTarget,
  measureClosedLoop,
  withConnections,
} from '../kit/load/closed-loop.ts';
import type { Bench, BenchContext, Measure } from '../kit/measure.ts';
import { httpTarget, measureOf, withSale } from '../kit/running-sale.ts';
import type { CannedAnswer } from '../rivals/rival.ts';
import { openSale, type Sale } from '../sale-client.ts';

const OK = 200;
/** A server sets these itself. */
const OWN_HEADERS = new Set(['date', 'connection', 'keep-alive']);

export const measureQuery: Bench = async (context) => {
  const { rival, platform } = context;
  const sale: Sale = {
    eventId: `bench-${Date.now().toString(36)}`,
    zones: [{ zoneId: 'zone-0', capacity: 1_000 }],
  };
  const path = `/v1/events/${sale.eventId}/zones/zone-0/inventory`;
  const ofOurs = <T>(use: (target: LoopTarget) => Promise<T>) =>
    withSale(context, async (app) => {
      const target = httpTarget(app);
      await openSale(target.url, sale);
      return use(target);
    });
  if (rival?.kind !== 'http') return ofOurs((target) => measureGets(context, target, path));
  // The rival answers the same bytes, so ours is asked for them first.
  const answer = await ofOurs(({ url }) => answerOf(url, path));
  const server = await rival.start(platform.directory, sale.zones, [answer]);
  try {
    return await measureGets(context, server, path);
  } finally {
    await server.stop();
  }
};

async function answerOf(url: string, path: string): Promise<CannedAnswer> {
  const answer = await fetch(url + path);
  if (answer.status !== OK) throw new Error(`GET ${path}: HTTP ${answer.status}`);
  const headers = [...answer.headers].filter(([name]) => !OWN_HEADERS.has(name));
  return { path, headers: Object.fromEntries(headers), body: await answer.text() };
}

function measureGets(context: BenchContext, target: LoopTarget, path: string): Promise<Measure[]> {
  const look: Ask = async (connection) => {
    const status = await connection.get(path);
    if (status !== OK) throw new Error(`unexpected answer: HTTP ${status}`);
  };
  return withConnections(target.url, context.options.connections, async (connections) => {
    const measured = await measureClosedLoop(context, target, connections, 'GET inventory', look);
    return [measureOf(context, { bench: 'query', ...measured, isProven: undefined })];
  });
}
