/**
 * When the next transaction begins (pure). Group commit: as soon as the one before has ended and
 * there is something to commit, so that little load means little latency; while more input waits,
 * not sooner than `commitLingerMs` after the last began, so that much load means big transactions.
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
  return now.sinceLastMs >= Math.min(limits.commitLingerMs, limits.commitIntervalMs);
}

/** Processing waits for the commit under way: the next transaction is full already. */
export function mustPause(now: CommitSituation, limits: CommitLimits): boolean {
  return now.isBusy && now.uncommittedBytes >= limits.transactionBytesMax;
}
