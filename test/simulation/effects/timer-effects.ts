/** Every timer and every sleep of the engine, by the place in its code that asks for it. */
import { type Clock, sleepOn } from '../../../base/clock.ts';
import type { Injector } from './injector.ts';

/** Longer than a session: what the member has not done by then it has not done at all. */
export const LATE_MS = 9_000;
const LATE = 'late by more than a session';

const STACK_FRAMES = 10;

/** Frames that only pass a timer on. */
const PASSED_ON = /base\/clock|effects\/timer-effects|simulation\/world/;
const FRAME =
  /at (?:async )?(?:new )?(?<name>[\w.#<>$]+)? ?\(?(?:file:\/\/)?\/(?:.*?\/)?(?<path>(?:kafka|runtime|stores|base|topology|schemas|interactive-queries)\/[\w/.-]+)\.ts/;

export function lateClock(clock: Clock, injector: Injector): Clock {
  const delayed = (delayMs: number) =>
    injector.meet(`timer: ${placeOf(stackHere())}`, [LATE]) === undefined
      ? delayMs
      : delayMs + LATE_MS;
  const after = (delayMs: number, callback: () => void) => clock.after(delayed(delayMs), callback);
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after,
    sleep: (delayMs, signal) => sleepOn(after, delayMs, signal),
    turn: () => clock.turn(),
  };
}

/** Stacks are dear: nobody else gets one. */
function stackHere(): string {
  Error.stackTraceLimit = STACK_FRAMES;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = 0;
  return stack;
}

/** `kafka/group/heartbeats #schedule`: no lines, which change with every edit. */
function placeOf(stack: string): string {
  for (const line of stack.split('\n').slice(1)) {
    if (PASSED_ON.test(line)) continue;
    const found = FRAME.exec(line)?.groups;
    if (found === undefined) continue;
    const name = found['name']?.split('.').at(-1) ?? '';
    return name === '<anonymous>' || name === '' ? found['path']! : `${found['path']} ${name}`;
  }
  throw new Error(`nobody of the engine asks for this timer:\n${stack}`);
}
