/** The secrets that callbacks are believed for. Never logged, and told to nobody. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemRandom } from '../../base/random.ts';
import { type AppConfig, isLoopback } from '../app/config.ts';

const FILE = 'payment-callback-secret';

/**
 * The configured ones. With the embedded broker, where only this machine gets here, one that is made
 * at the first start and kept in a file that its user alone can read: for trying things.
 */
export function callbackSecrets(config: AppConfig): readonly string[] {
  const { PAYMENT_CALLBACK_SECRETS, KAFKA_BROKERS, HTTP_HOST, STREAMS_STATE_DIR } = config;
  if (PAYMENT_CALLBACK_SECRETS !== undefined) return PAYMENT_CALLBACK_SECRETS;
  if (KAFKA_BROKERS !== undefined || !isLoopback(HTTP_HOST)) return [];
  mkdirSync(STREAMS_STATE_DIR, { recursive: true });
  return [readOrMake(join(STREAMS_STATE_DIR, FILE))];
}

function readOrMake(path: string): string {
  try {
    writeFileSync(path, systemRandom.bytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(path, 'utf8').trim();
}
