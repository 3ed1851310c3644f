/**
 * Loaded into the sale's process before its own code (`node --import`), in every thread: ends, stops
 * or burdens the process at a named point of its work. Nothing of it is in the product: it wraps
 * methods of the product's classes from outside, in processes that the fault program starts.
 *
 * The file that MILLRACE_FAILPOINT_FILE names arms it, while it runs: `K9:3:SIGKILL` = at the third
 * time from now that this point is reached, delete the file, write `failpoint K9 reached`, and do
 * what the last word says (kill-points.ts).
 */
import { readFileSync, rmSync, writeSync } from 'node:fs';
import { unreachable } from '../../../base/assert.ts';
import { BrokerLink } from '../../../kafka/cluster/broker-link.ts';
import type { BrokerSession } from '../../../kafka/cluster/broker-session.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import { syncGroupApi } from '../../../kafka/protocol/messages/sync-group.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { BrokerConnection } from '../../../kafka/wire.ts';
import { CommandQueue } from '../../../runtime/command-queue.ts';
import { CommitListeners } from '../../../runtime/queries/commit-listeners.ts';
import { Restorer } from '../../../runtime/restore/restorer.ts';
import { StreamThread } from '../../../runtime/stream-thread.ts';
import { StreamTask } from '../../../runtime/tasks/stream-task.ts';
import { TaskManager } from '../../../runtime/tasks/task-manager.ts';
import { LocalTaskState } from '../../../stores/task-state.ts';
import { WriteQueue } from '../../../stores/write-queue.ts';
import { around } from './around.ts';
import {
  type Failpoint,
  type FailpointDeed,
  type KillPoint,
  parseFailpoint,
  STALL_MS,
} from './kill-points.ts';

/** So that the store batch, which another thread writes meanwhile, is there before the signal. */
const APPLIED_WITHIN_MS = 300;
const STOPPED_WITHIN_MS = 100;
/** Some 3 GB of objects: where no limit ends the process before, there is none. */
const HOARD_MAX = 80_000;
const HOARDED_AT_ONCE = 1_000;

const file = process.env['MILLRACE_FAILPOINT_FILE'] ?? '';
let hits = 0;

function reached(name: KillPoint): void {
  const armed = armedPoint();
  if (armed?.name !== name || ++hits !== armed.hit) return;
  rmSync(file);
  hits = 0;
  writeSync(2, `failpoint ${name} reached\n`);
  carryOut(armed.deed);
}

function carryOut(deed: FailpointDeed): void {
  switch (deed) {
    case 'SIGKILL':
    case 'SIGSTOP':
      process.kill(process.pid, deed);
      // This thread must not go on before the signal has arrived.
      waitHere(STOPPED_WITHIN_MS);
      break;
    case 'STALL':
      waitHere(STALL_MS);
      break;
    case 'HOARD':
      hoard();
      break;
    default:
      unreachable(deed);
  }
}

/** Fills the heap until its limit, or that of the process' memory, ends it. */
function hoard(): void {
  const kept: unknown[] = [];
  while (kept.length < HOARD_MAX) {
    kept.push(Array.from({ length: HOARDED_AT_ONCE }, (_, count) => ({ count })));
  }
  throw new Error('nothing limits the memory of this process');
}

function armedPoint(): Failpoint | undefined {
  try {
    return parseFailpoint(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function waitHere(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

// ── On the wire: K1, K6, K7, K8, K9, K10 ───────────────────────────────────────────────────────

const transactional = new WeakSet<BrokerConnection>();

around(BrokerLink.prototype, 'open', async (_link, open) => {
  const session: BrokerSession = await open();
  watch(session.connection);
  return session;
});

function watch(connection: BrokerConnection): void {
  if (transactional.has(connection)) return;
  transactional.add(connection);
  const request = connection.request.bind(connection);
  connection.request = async (header, body, timeoutMs) => {
    if (header.apiKey === txnOffsetCommitApi.key) reached('K7');
    if (header.apiKey === endTxnApi.key) reached('K8');
    const answered = request(header, body, timeoutMs);
    if (header.apiKey === produceApi.key && isTransactional(body)) await sent(answered, 'K6');
    if (header.apiKey === endTxnApi.key) await sent(answered, 'K9');
    const answer = await answered;
    if (header.apiKey === syncGroupApi.key) reached('K1');
    if (header.apiKey === endTxnApi.key) reached('K10');
    return answer;
  };
}

/** The bytes leave within a turn of the loop; the answer needs a way there and back. */
async function sent(answered: Promise<unknown>, name: KillPoint): Promise<void> {
  answered.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  reached(name);
}

/** Of the app's producers only the stream threads' have a transactional id: the body begins with it. */
function isTransactional(body: Uint8Array): boolean {
  return body[0] !== 0;
}

// ── In the stream thread: K2, K3, K4, K5, K11, K13, K14 ────────────────────────────────────────

around(LocalTaskState.prototype, 'flushRestored', async (_state, flush, args) => {
  const [storeName, position] = args as Parameters<LocalTaskState['flushRestored']>;
  reached('K2');
  await flush(storeName, position);
});

around(Restorer.prototype, 'restore', async (_restorer, restore, args) => {
  await restore(...(args as Parameters<Restorer['restore']>));
  reached('K3');
});

around(StreamTask.prototype, 'add', (_task, add, args) => {
  const [fetched] = args as Parameters<StreamTask['add']>;
  if (fetched.batches.length > 0) reached('K4');
  add(fetched);
});

around(StreamTask.prototype, 'flush', (_task, flush) => {
  reached('K5');
  return flush();
});

around(WriteQueue.prototype, 'run', (_queue, run, args) => {
  const [write] = args as Parameters<WriteQueue['run']>;
  return run(() => {
    const written = write();
    reached('K11');
    return written;
  });
});

around(CommandQueue.prototype, 'push', (_queue, push, args) => {
  const [kind, run] = args as Parameters<CommandQueue['push']>;
  if (kind !== 'revoked') return push(kind, run);
  return push(kind, async () => {
    reached('K13');
    await run();
  });
});

let isStopping = false;

around(StreamThread.prototype, 'stop', (_thread, stop) => {
  isStopping = true;
  stop();
});

around(TaskManager.prototype, 'close', (_tasks, close, args) => {
  if (isStopping) reached('K14');
  return close(...(args as Parameters<TaskManager['close']>));
});

// ── In the main thread: K12 ────────────────────────────────────────────────────────────────────

around(CommitListeners.prototype, 'tell', (_listeners, tell, args) => {
  const [notice] = args as Parameters<CommitListeners['tell']>;
  if (notice.outputs.length > 0 && armedPoint()?.name === 'K12') {
    waitHere(APPLIED_WITHIN_MS);
    reached('K12');
  }
  tell(notice);
});
