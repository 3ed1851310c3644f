/**
 * When the next transaction begins (pure). Group commit: as soon as the one before has ended and
 * there is something to commit, so that little load means little latency; while more input waits,
 * not sooner than `commitLingerMs` after the last began, so that much load means big transactions.
 *
 * Behind a backlog not before half of what was left of it is in the transaction, at most
 * `commitIntervalMs`: whoever stands at its end waits longer for those in front than for this, and
 * what is written once per key and commit (stock, sums, store entries) is written less often.
 */
export interface CommitSituation {
  /** The transaction before has not ended, or has failed. */
  readonly isBusy: boolean;
  readonly hasWork: boolean;
  /** More input is buffered and could be processed now. */
  readonly hasInput: boolean;
  /** A processor called commit(). */
  readonly isRequested: boolean;
  readonly uncommittedBytes: number;
  /** Records in this transaction, and records known to be in the log behind them. */
  readonly consumedRecords: number;
  readonly lagRecords: number;
  /** Since the last commit began. */
  readonly sinceLastMs: number;
}

export interface CommitLimits {
  readonly commitIntervalMs: number;
  readonly commitLingerMs: number;
  readonly transactionBytesMax: number;
}

export function shouldCommit(now: CommitSituation, limits: CommitLimits): boolean {
  if (now.isBusy || !now.hasWork) return false;
  if (!now.hasInput || now.isRequested) return true;
  if (now.uncommittedBytes >= limits.transactionBytesMax) return true;
  const isCaughtUp = now.consumedRecords >= now.lagRecords;
  const waitMs = isCaughtUp
    ? Math.min(limits.commitLingerMs, limits.commitIntervalMs)
    : limits.commitIntervalMs;
  return now.sinceLastMs >= waitMs;
}

/** Processing waits for the commit under way: the next transaction is full already. */
export function mustPause(
  now: Pick<CommitSituation, 'isBusy' | 'uncommittedBytes'>,
  limits: CommitLimits,
): boolean {
  return now.isBusy && now.uncommittedBytes >= limits.transactionBytesMax;
}
