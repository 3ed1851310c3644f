/** `millrace start`: the sale until a signal or a fatal error, with a banner that says what runs where. */
import { keepCompiledModules } from '../base/compile-cache.ts';
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { startTicketApp, type TicketApp } from '../ticket-sales/app/app.ts';
import type { AppConfig } from '../ticket-sales/app/config.ts';
import { createDemoEvent, DEMO } from '../ticket-sales/app/demo.ts';

/** How often a waiting start repeats what it waits for. */
const WAITING_EVERY_MS = 5_000;

export async function runStart(config: AppConfig, log: Log, demo: boolean): Promise<void> {
  const abort = new AbortController();
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        abort.abort();
        resolve(signal);
      });
    }
  });
  const app = await startTicketApp(config, log, { onWaiting: patiently(), signal: abort.signal });
  // Without a token of its own the demo is left out: config.ts refuses where it was asked for.
  const mayWrite = config.AUTH !== 'jwt' || config.MILLRACE_TOKEN !== undefined;
  const wantsDemo = demo && mayWrite && (config.TICKETS_DEMO ?? app.isEmbedded);
  const failing = new AbortController();
  void app.failed.then(() => failing.abort());
  if (wantsDemo) {
    const { MILLRACE_TOKEN: token } = config;
    const signal = AbortSignal.any([abort.signal, failing.signal]);
    await createDemoEvent(app.httpUrl, signal, token).catch(async (error: unknown) => {
      if (signal.aborted) return;
      await app.stop();
      throw error;
    });
  }
  if (!failing.signal.aborted) console.log(banner(app, config, wantsDemo));
  keepCompiledModules();
  const ended = await Promise.race([signalled, app.failed]);
  if (ended instanceof Error) {
    await app.stop();
    throw ended instanceof MillraceError
      ? ended
      : new MillraceError('INTERNAL', ended.message, { cause: ended });
  }
  console.log(`${ended}: stopping`);
  const patience = setTimeout(() => {
    console.error('the stop takes too long: leaving as I am (nothing that was committed is lost)');
    process.exit(1);
  }, config.SHUTDOWN_GRACE_MS + 5_000);
  await app.stop();
  clearTimeout(patience);
  // A library's leftover timer must not keep a stopped process alive.
  process.exit(0);
}

function patiently(): (what: string) => void {
  let lastWhat = '';
  let lastMs = Number.NEGATIVE_INFINITY;
  return (what) => {
    const nowMs = performance.now();
    if (what === lastWhat && nowMs - lastMs < WAITING_EVERY_MS) return;
    [lastWhat, lastMs] = [what, nowMs];
    console.error(`waiting for ${what}`);
  };
}

function banner(app: TicketApp, config: AppConfig, demo: boolean): string {
  const inventory = `${app.httpUrl}/v1/events/${DEMO.eventId}/zones/${DEMO.zones[0].zoneId}/inventory`;
  const isSecured = config.AUTH === 'jwt';
  const token = isSecured ? ` -H "authorization: Bearer $MILLRACE_TOKEN"` : '';
  const lines = [
    '',
    'Millrace ticket sales',
    `  Kafka     ${app.brokers}${app.isEmbedded ? `  (embedded, data in ${config.EMBEDDED_DATA_DIR})` : ''}`,
    `  Registry  ${app.registryUrl}`,
    `  API       ${app.httpUrl}   ${app.httpUrl}/docs   ${app.httpUrl}/metrics`,
    `  State     ${config.STREAMS_STATE_DIR}`,
    ...(isSecured ? [`  Access    tokens of ${config.AUTH_ISSUER} (docs/security.md)`] : []),
    '',
  ];
  if (demo) {
    lines.push(
      'Buy two tickets and look at what is left:',
      `  curl -s ${app.httpUrl}/v1/purchases${token} -H 'content-type: application/json' -H 'idempotency-key: my-first' -H 'prefer: wait=5' -d '{"eventId":"${DEMO.eventId}","zoneId":"${DEMO.zones[0].zoneId}","buyerId":"me","quantity":2}'`,
      `  curl -s ${inventory}${token}`,
      '',
    );
  }
  lines.push(
    'See the decisions as records, and sell out under load:',
    `  kcat -b ${app.brokers} -t purchaseStatusUpdated -C -o beginning -e -s value=avro -r ${app.registryUrl}`,
    `  kcat -b ${app.brokers} -L`,
    `  ${isSecured ? 'MILLRACE_TOKEN=… ' : ''}npm run rush`,
    '',
  );
  return lines.join('\n');
}
