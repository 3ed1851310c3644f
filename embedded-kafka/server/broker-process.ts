/**
 * A running broker with its doors: lock, disk, core, TCP listener, message ports. Lives in whatever
 * thread it is started in; worker.ts puts it into one of its own, main.ts into the main one.
 */
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import type { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { BrokerAddress } from '../../kafka/wire.ts';
import { type Broker, createBroker } from '../broker.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { MessagePortServer } from './message-port-server.ts';
import { listenTcp, type TcpServer } from './tcp-server.ts';

export interface BrokerProcessOptions {
  readonly dataDirectory: string;
  /** Where others may come in by TCP; null = nobody. Port 0 = any free one. */
  readonly listen: BrokerAddress | null;
  /** Where clients by TCP are told to come; null = to the address they have reached. */
  readonly advertised: BrokerAddress | null;
  readonly config: Readonly<Record<string, string>>;
  readonly log: Log;
  /** The disk has failed. Stop the process: what was acknowledged is safe, nothing more will be. */
  readonly onFatal: (error: MillraceError) => void;
}

export interface BrokerProcess {
  readonly address: BrokerAddress | null;
  readonly clusterId: string;
  /** Serves a base port of message-port-server.ts. */
  serve(base: MessagePort): void;
  stop(): Promise<void>;
}

/** Rejects as lockDirectory, createBroker and listenTcp do; nothing stays behind then. */
export async function startBrokerProcess(options: BrokerProcessOptions): Promise<BrokerProcess> {
  const lock = await lockDirectory(options.dataDirectory);
  let broker: Broker | undefined;
  try {
    broker = await createBroker({
      disk: nodeDisk(options.dataDirectory),
      clock: systemClock,
      random: systemRandom,
      log: options.log,
      config: options.config,
      onFatal: options.onFatal,
    });
    return await openDoors(options, broker, lock);
  } catch (error) {
    await broker?.stop();
    await lock.release();
    throw error;
  }
}

async function openDoors(
  { listen, advertised, log }: BrokerProcessOptions,
  broker: Broker,
  lock: DirectoryLock,
): Promise<BrokerProcess> {
  let connectionIds = 0;
  const shared = {
    frameBytesMax: broker.config.number('socket.request.max.bytes'),
    handler: broker,
    nextConnectionId: () => ++connectionIds,
    log,
  };
  const ports = new MessagePortServer(shared);
  let tcp: TcpServer | undefined;
  if (listen !== null) {
    tcp = await listenTcp({
      ...shared,
      ...listen,
      advertised,
      bufferedBytesMax: broker.config.number('queued.max.request.bytes'),
      idleMs: broker.config.number('connections.max.idle.ms'),
      connectionsMax: broker.config.number('max.connections'),
    });
  }
  return {
    address: tcp === undefined ? null : { host: tcp.host, port: tcp.port },
    clusterId: broker.clusterId,
    serve: (base) => ports.serve(base),
    stop: async () => {
      ports.close();
      await tcp?.close();
      await broker.stop();
      await lock.release();
    },
  };
}
