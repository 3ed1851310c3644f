/** What became of one error: named, from what the engine said and did afterwards. */
import type { Injection } from './injector.ts';
import type { EffectRun } from './representative-run.ts';

export type Verdict =
  | { readonly kind: 'passed'; readonly outcome: string }
  | { readonly kind: 'failed'; readonly violation: string };

const RESTARTED = /"dropping what is uncommitted and starting the tasks anew" (?<why>.*)$/;
const STORES_FAILED = '"the stores of a task failed"';

/** `quiet` is the run without an error: what is said there is nobody's consequence. */
export function judge(injection: Injection, run: EffectRun, quiet: EffectRun): Verdict {
  if (!run.injector.isDone) return failed('the effect did not come');
  const [violation] = run.result.violations;
  if (violation !== undefined) return failed(violation.split('\n')[0]!);
  const told = (what: RegExp | string) => newLines(run, quiet, what);
  return { kind: 'passed', outcome: outcomeOf(injection, run, quiet, told) };
}

function failed(violation: string): Verdict {
  return { kind: 'failed', violation };
}

function outcomeOf(
  injection: Injection,
  run: EffectRun,
  quiet: EffectRun,
  told: (what: RegExp | string) => readonly string[],
): string {
  const ended = endedWith(run, quiet);
  if (ended !== undefined) return `stopped with error ${ended}`;
  if (run.brokerDeaths.length > 0) return 'broker stopped, and started again';
  const isWiped = countOf(run, 'store wiped') > countOf(quiet, 'store wiped');
  if (isWiped) return 'task wiped and restored';
  if (told(STORES_FAILED).length > 0) return 'task closed, then restored';
  const why = told(RESTARTED).map((line) => RESTARTED.exec(line)!.groups!['why']!)[0];
  if (why !== undefined) {
    return why.includes('is aborted') ? 'aborted and redone' : 'thread restarted';
  }
  if (run.resent.sameAgain > 0) return 'retried same bytes';
  if (run.resent.others > 0) return 'asked anew';
  return injection.effect.startsWith('timer') ? 'waited' : 'went on without it';
}

/** The code that a process has ended with, once more than in the quiet run. */
function endedWith(run: EffectRun, quiet: EffectRun): string | undefined {
  for (const [what, count] of run.result.counters) {
    const code = /^engine ended: (?<code>.+)$/.exec(what)?.groups?.['code'];
    if (code !== undefined && count > countOf(quiet, what)) return code;
  }
  return undefined;
}

function countOf({ result }: EffectRun, what: string): number {
  return result.counters.get(what) ?? 0;
}

function newLines(run: EffectRun, quiet: EffectRun, what: RegExp | string): readonly string[] {
  const matching = ({ lines }: EffectRun) =>
    lines.filter((line) => (typeof what === 'string' ? line.includes(what) : what.test(line)));
  const found = matching(run);
  return found.slice(matching(quiet).length);
}
