/** `millrace payments` and `millrace notifications`: one service until a signal or a fatal error. */
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AppConfig } from '../ticket-sales/app/config.ts';
import { type ServiceName, startServiceApp } from '../ticket-sales/app/service-app.ts';

export async function runService(name: ServiceName, config: AppConfig, log: Log): Promise<void> {
  const abort = new AbortController();
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        abort.abort();
        resolve(signal);
      });
    }
  });
  const onWaiting = (what: string) => console.error(`waiting for ${what}`);
  const service = await startServiceApp(name, config, log, { onWaiting, signal: abort.signal });
  const probes = service.httpUrl === undefined ? '' : `, ${service.httpUrl}/metrics`;
  console.log(`Millrace ${name}: group ${service.applicationId}${probes}, until SIGTERM`);
  const ended = await Promise.race([signalled, service.failed]);
  if (typeof ended === 'string') console.log(`${ended}: stopping`);
  const patience = setTimeout(() => process.exit(1), config.SHUTDOWN_GRACE_MS + 5_000);
  await service.stop();
  clearTimeout(patience);
  if (typeof ended === 'string') process.exit(0);
  throw ended instanceof MillraceError
    ? ended
    : new MillraceError('INTERNAL', ended.message, { cause: ended });
}
