/**
 * The embedded broker by itself, for trying clients against it:
 *   node embedded-kafka/main.ts --data-dir DIR [--listen HOST:PORT] [--advertised HOST:PORT] [--config NAME=VALUE …]
 */
import { parseArgs } from 'node:util';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type { Facts, Log } from '../base/log.ts';
import type { BrokerAddress } from '../kafka/wire.ts';
import { startBrokerProcess } from './server/broker-process.ts';

const DEFAULT_LISTEN = '127.0.0.1:9092';

function stderrLog(bound: Facts): Log {
  const write = (level: string) => (facts: Facts, message: string) => {
    const all = Object.entries({ ...bound, ...facts });
    const text = all.map(([name, value]) => `${name}=${describe(value)}`).join(' ');
    process.stderr.write(`${new Date().toISOString()} ${level} ${message} ${text}\n`);
  };
  return {
    debug: () => {},
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (facts) => stderrLog({ ...bound, ...facts }),
  };
}

function describe(value: unknown): string {
  return value instanceof Error ? (value.stack ?? value.message) : JSON.stringify(value);
}

function parseAddress(option: string, text: string): BrokerAddress {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'];
  if (host === undefined || port > 65_535) {
    throw new MillraceError('CONFIG_INVALID', `--${option} ${text} is not HOST:PORT`);
  }
  return { host, port };
}

function parseConfig(entries: readonly string[]): Record<string, string> {
  const pairs = entries.map((entry) => {
    const at = entry.indexOf('=');
    if (at <= 0) throw new MillraceError('CONFIG_INVALID', `--config ${entry} is not NAME=VALUE`);
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      listen: { type: 'string', default: DEFAULT_LISTEN },
      advertised: { type: 'string' },
      config: { type: 'string', multiple: true, default: [] },
    },
  });
  const dataDirectory = values['data-dir'];
  if (dataDirectory === undefined) {
    throw new MillraceError('CONFIG_MISSING', '--data-dir DIR is missing');
  }
  const log = stderrLog({});
  const broker = await startBrokerProcess({
    dataDirectory,
    listen: parseAddress('listen', values.listen),
    advertised:
      values.advertised === undefined ? null : parseAddress('advertised', values.advertised),
    config: parseConfig(values.config),
    log,
    onFatal: (error) => {
      log.error({ error }, 'the disk failed: the broker stops');
      process.exit(1);
    },
  });
  process.stdout.write(`listening on ${broker.address?.host}:${broker.address?.port}\n`);
  const stop = () => {
    broker.stop().then(() => process.exit(0), fail);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

function fail(error: unknown): void {
  const hint = isMillraceError(error) && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${hint}\n`);
  process.exit(1);
}

main().catch(fail);
