/**
 * I0, I23, I25: is the log quiet and whole, so that an audit of it means something? And are the
 * committed offsets possible ones?
 */

import type { Findings } from '../findings.ts';
import type { CommittedLog } from '../log/committed-log.ts';
import type { LogSample } from '../log/log-source.ts';

export interface ValidityOptions {
  /** The application may still run, as long as nothing moves while the log is read. */
  readonly allowMembers: boolean;
  /** It had time enough: what is not done by now is a violation of I25, not just a bad moment. */
  readonly isSettled: boolean;
}

export function checkQuiet(sample: LogSample, findings: Findings, options: ValidityOptions): void {
  if (sample.memberCount > 0 && !options.allowMembers) {
    findings.notValid(`the application’s group has ${sample.memberCount} members: stop it first`);
  }
  for (const [key, { endOffset, stableOffset }] of sample.bounds) {
    findings.checked('I25');
    if (stableOffset >= endOffset) continue;
    unfinished(findings, options, `${key}@${stableOffset}`, 'a transaction is open');
  }
}

/** Nothing may move while the log is read; committed offsets never go back (I23). */
export function checkUnmoved(before: LogSample, after: LogSample, findings: Findings): void {
  for (const [key, { endOffset, committedOffset }] of before.bounds) {
    const now = after.bounds.get(key);
    if (now === undefined || now.endOffset !== endOffset) {
      findings.notValid(`${key} was written to while it was read`);
    }
    const nowCommitted = now?.committedOffset;
    if (committedOffset === undefined) continue;
    findings.checked('I23');
    if (nowCommitted === undefined || nowCommitted < committedOffset) {
      const what = `the committed offset went back from ${committedOffset} to ${nowCommitted}`;
      findings.violated('I23', `${key}@${committedOffset}`, what);
    } else if (nowCommitted !== committedOffset) {
      findings.notValid(`${key} was consumed while it was read`);
    }
    if (committedOffset <= endOffset) continue;
    const what = `the committed offset ${committedOffset} is beyond the end, ${endOffset}`;
    findings.violated('I23', `${key}@${committedOffset}`, what);
  }
}

/** Every committed record of an input must have been consumed. */
export function checkLag(
  input: CommittedLog,
  committedOffset: number | undefined,
  findings: Findings,
  options: ValidityOptions,
): void {
  if (input.lastOffset < 0) return;
  findings.checked('I25');
  const position = committedOffset ?? 0;
  if (position > input.lastOffset) return;
  unfinished(findings, options, input.placeOf(position), 'not consumed yet');
}

function unfinished(
  findings: Findings,
  { isSettled }: ValidityOptions,
  place: string,
  what: string,
): void {
  if (isSettled) findings.violated('I25', place, what);
  else findings.notValid(`${place}: ${what}`);
}
