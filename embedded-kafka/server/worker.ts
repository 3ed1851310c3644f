/** Entry of the embedded broker's own thread: a blocked engine must not stop it. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { keepCompiledModules } from '../../base/compile-cache.ts';
import type { Facts, Log } from '../../base/log.ts';
import { startBrokerProcess } from './broker-process.ts';
import { type FromWorker, type ToWorker, toPosted, type WorkerOptions } from './worker-messages.ts';

const owner = parentPort;
assert(owner !== null, 'server/worker.ts runs as a worker');
const tell = (message: FromWorker) => owner.postMessage(message);

/** Facts cross the thread as JSON would: an error keeps its text, nothing keeps its class. */
function postedLog(bound: Facts): Log {
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (facts: Facts, message: string) => {
    const all = Object.entries({ ...bound, ...facts });
    const plain = all.map(([name, value]) => [name, plainValue(value)]);
    tell({ kind: 'log', level, facts: Object.fromEntries(plain), message });
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (facts) => postedLog({ ...bound, ...facts }),
  };
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

const fail = (error: unknown) => {
  tell({ kind: 'failed', error: toPosted(error) });
  // Let the message out, then end the thread: nothing here may be trusted any more.
  setImmediate(() => process.exit(1));
};

async function run(options: WorkerOptions): Promise<void> {
  const broker = await startBrokerProcess({ ...options, log: postedLog({}), onFatal: fail });
  owner?.on('message', (message: ToWorker) => {
    if (message.kind === 'serve') {
      broker.serve(message.base);
      return;
    }
    broker.stop().then(() => {
      tell({ kind: 'stopped' });
      owner.close();
    }, fail);
  });
  tell({ kind: 'started', address: broker.address, clusterId: broker.clusterId });
  keepCompiledModules();
}

run(workerData as WorkerOptions).catch(fail);
