/** One error in one mode, beside the run without any. */
import type { Injection } from './injector.ts';
import { judge, type Verdict } from './outcome.ts';
import { type EffectRun, type Mode, runOnce } from './representative-run.ts';

export interface EffectTask {
  readonly mode: Mode;
  readonly injection: Injection;
}

export interface EffectResult extends EffectTask {
  readonly verdict: Verdict;
}

const quiet = new Map<Mode, Promise<EffectRun>>();

/** The run without an error, once per mode. */
export function quietRun(mode: Mode): Promise<EffectRun> {
  const run = quiet.get(mode) ?? runOnce(mode);
  quiet.set(mode, run);
  return run;
}

export async function tryOnce({ mode, injection }: EffectTask): Promise<EffectResult> {
  const before = await quietRun(mode);
  return { mode, injection, verdict: judge(injection, await runOnce(mode, injection), before) };
}
