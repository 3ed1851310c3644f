/**
 * TransactionalProducer: one transactional id, one transaction at a time. Owns the id's life (which
 * protocol, which producer id and epoch, when it must be initialised again); how one transaction goes is
 * transaction/run-transaction.ts, what answers mean is transaction/error-table.ts.
 *
 * 1. A transaction without requests has no EndTxn, and one with batches has offsets (design §1, 3).
 * 2. A batch is stamped once; whatever is sent again is the same bytes.
 * 3. After any outcome but 'committed' nothing is sent before init() has succeeded: only the broker's
 *    answer to InitProducerId says that everything older is decided.
 */
import { assert, unreachable } from '../base/assert.ts';
import { MillraceError } from '../base/errors.ts';
import type { ClientDeps } from './client-deps.ts';
import type { Transaction, TransactionalProducer, TransactionOutcome } from './ports.ts';
import { txnOffsetCommitApi } from './protocol/messages/txn-offset-commit.ts';
import type { TransactionProtocol } from './transaction/error-table.ts';
import { type FailedOutcome, fatalError, outcomeOf } from './transaction/outcome.ts';
import {
  channelsOf,
  initProducerId,
  TXN_OFFSET_COMMIT_VERSION_MAX,
  TXN_OFFSET_COMMIT_VERSION_MIN,
} from './transaction/requests.ts';
import { runTransaction, type TransactionResult } from './transaction/run-transaction.ts';
import { type ProducerIdentity, Sequences } from './transaction/sequences.ts';
import { TransactionContext } from './transaction/transaction-context.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { Cluster } from './wire.ts';

export interface TransactionalProducerOptions {
  /**
   * After this long the coordinator aborts an open transaction by itself. Also the bound of everything
   * that commit() tries.
   */
  readonly transactionTimeoutMs: number;
}

export function createTransactionalProducer(
  cluster: Cluster,
  transactionalId: string,
  options: TransactionalProducerOptions,
  deps: ClientDeps,
): TransactionalProducer {
  return new ClusterTransactionalProducer(cluster, transactionalId, options, deps);
}

type ProducerState =
  | { readonly kind: 'needs-init' }
  | {
      readonly kind: 'ready';
      readonly protocol: TransactionProtocol;
      readonly identity: ProducerIdentity;
      readonly sequences: Sequences;
    }
  | { readonly kind: 'committing' }
  | { readonly kind: 'closed' };

/** From this level of the finalized feature on, transactions are V2. */
const V2_FEATURE_LEVEL = 2;
/** An orphan of ours may stay open for its own timeout and until the broker's reaper comes by. */
const REAPER_INTERVAL_MS = 10_000;

class ClusterTransactionalProducer implements TransactionalProducer {
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  readonly #deps: ClientDeps;
  readonly #closing = new AbortController();
  #state: ProducerState = { kind: 'needs-init' };
  #fencedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    cluster: Cluster,
    transactionalId: string,
    options: TransactionalProducerOptions,
    deps: ClientDeps,
  ) {
    this.transactionalId = transactionalId;
    this.#cluster = cluster;
    this.#timeoutMs = options.transactionTimeoutMs;
    this.#deps = deps;
  }

  async init(signal?: AbortSignal): Promise<void> {
    assert(this.#state.kind !== 'committing', 'init() beside commit()');
    if (this.#state.kind !== 'closed') this.#state = { kind: 'needs-init' };
    const { clock, log } = this.#deps;
    const stopped = AbortSignal.any([
      this.#closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ]);
    const cancelWarning = clock.after(this.#timeoutMs + REAPER_INTERVAL_MS, () => {
      log.warn({ transactionalId: this.transactionalId }, 'InitProducerId still does not succeed');
    });
    try {
      const ready = await unlessAborted(this.#initialise(stopped), stopped);
      // Closed in the meantime, it stays closed.
      if (!stopped.aborted) this.#state = ready;
    } finally {
      cancelWarning();
    }
  }

  async commit(transaction: Transaction): Promise<TransactionOutcome> {
    const state = this.#state;
    if (state.kind !== 'ready') return refusal(state, this.transactionalId);
    const { batches, offsets } = transaction;
    if (offsets.size === 0) {
      if (batches.length === 0) return { kind: 'committed', produced: new Map() };
      return {
        kind: 'fatal',
        cause: new MillraceError('INTERNAL', 'a transaction without offsets'),
      };
    }
    this.#state = { kind: 'committing' };
    const context = this.#context(state.protocol, this.#timeoutMs, this.#closing.signal);
    let result: TransactionResult;
    try {
      for (const batch of batches) state.sequences.stamp(batch, state.identity);
      result = await runTransaction(context, transaction, state.identity);
    } catch (cause) {
      this.#become({ kind: 'needs-init' });
      return { kind: 'unknown', cause: new MillraceError('INTERNAL', 'commit failed', { cause }) };
    }
    if (result.kind === 'ended') return this.#fail(result, context.elapsedMs);
    const { identity, produced } = result;
    const sequences = state.protocol === 'V2' ? new Sequences() : state.sequences;
    this.#become({ kind: 'ready', protocol: state.protocol, identity, sequences });
    return { kind: 'committed', produced };
  }

  close(): void {
    this.#state = { kind: 'closed' };
    this.#closing.abort();
    for (const channel of Object.values(channelsOf(this.transactionalId))) {
      this.#cluster.closeChannel(channel);
    }
  }

  /** Moves on, unless close() was called meanwhile. */
  #become(next: ProducerState): void {
    if (this.#state.kind !== 'closed') this.#state = next;
  }

  #context(
    protocol: TransactionProtocol,
    timeoutMs: number,
    signal: AbortSignal,
  ): TransactionContext {
    const { transactionalId } = this;
    const [cluster, deps] = [this.#cluster, this.#deps];
    return new TransactionContext({ cluster, deps, transactionalId, protocol, timeoutMs, signal });
  }

  async #initialise(signal: AbortSignal): Promise<ProducerState> {
    const untilStopped = (protocol: TransactionProtocol) =>
      this.#context(protocol, Number.POSITIVE_INFINITY, signal);
    const protocol = await untilStopped('V1').untilItWorks(() => this.#chooseProtocol());
    const reply = await initProducerId(untilStopped(protocol), this.#timeoutMs);
    if (reply.kind !== 'done') {
      assert(reply.kind === 'ended', 'InitProducerId does not know generations');
      throw fatalError(reply.ending, this);
    }
    const { producerId, producerEpoch } = reply.response;
    const identity = { producerId, producerEpoch };
    return { kind: 'ready', protocol, identity, sequences: new Sequences() };
  }

  async #chooseProtocol(): Promise<TransactionProtocol> {
    const features = await this.#cluster.features();
    if ((features.get('transaction.version') ?? 0) >= V2_FEATURE_LEVEL) return 'V2';
    const nodeId = await this.#cluster.anyBroker();
    const maxVersion = TXN_OFFSET_COMMIT_VERSION_MAX.V1;
    const version = await this.#cluster.versionFor(nodeId, txnOffsetCommitApi, maxVersion);
    if (version < TXN_OFFSET_COMMIT_VERSION_MIN) {
      throw new MillraceError(
        'KAFKA_FATAL',
        'the broker cannot fence offsets by group generation',
        {
          hint: 'Exactly once needs Kafka 2.5 or later.',
          facts: { nodeId, txnOffsetCommitVersion: version },
        },
      );
    }
    return 'V1';
  }

  #fail(
    { ending, mayBeCommitted }: Extract<TransactionResult, { readonly kind: 'ended' }>,
    elapsedMs: number,
  ): FailedOutcome {
    const nowMs = this.#deps.clock.monotonicMs();
    const outcome = outcomeOf(ending, {
      transactionalId: this.transactionalId,
      elapsedMs,
      transactionTimeoutMs: this.#timeoutMs,
      sinceFencedMs: nowMs - this.#fencedAtMs,
      mayBeCommitted,
    });
    if (ending.as === 'producer-fenced' && outcome.kind !== 'aborted') this.#fencedAtMs = nowMs;
    this.#become({ kind: 'needs-init' });
    return outcome;
  }
}

function refusal(state: Exclude<ProducerState, { kind: 'ready' }>, id: string): FailedOutcome {
  switch (state.kind) {
    case 'committing':
      return {
        kind: 'fatal',
        cause: new MillraceError('INTERNAL', `${id}: commit() beside commit()`),
      };
    case 'needs-init':
    case 'closed':
      return {
        kind: 'aborted',
        cause: new MillraceError('KAFKA_ABORTABLE', `${id}: ${state.kind}, nothing was sent`),
      };
    default:
      return unreachable(state);
  }
}
