/**
 * Preload, in every thread: the wall clock of the process shows as many milliseconds too much as the
 * file that MILLRACE_CLOCK_FILE names says, negative ones too. Timers and the monotonic clock do not
 * notice, as when an operator or NTP sets a machine's clock.
 */
import { readFileSync, writeSync } from 'node:fs';

const LOOK_EVERY_MS = 20;
const file = process.env['MILLRACE_CLOCK_FILE'] ?? '';
const TrueDate = Date;
let errorMs = 0;
let lookedAtMs = Number.NEGATIVE_INFINITY;

function shownMs(): number {
  const atMs = performance.now();
  if (atMs - lookedAtMs >= LOOK_EVERY_MS) {
    lookedAtMs = atMs;
    look();
  }
  return TrueDate.now() + errorMs;
}

function look(): void {
  const toldMs = Number(toldText());
  if (Number.isNaN(toldMs)) throw new Error(`${file} has no milliseconds`);
  if (toldMs === errorMs) return;
  writeSync(2, `the clock jumps by ${toldMs - errorMs} ms\n`);
  errorMs = toldMs;
}

function toldText(): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '0';
    throw error;
  }
}

globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [shownMs()] : args, newTarget) as Date,
  apply: () => new TrueDate(shownMs()).toString(),
  get: (target, name) => (name === 'now' ? shownMs : (Reflect.get(target, name) as unknown)),
});
