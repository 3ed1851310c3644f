/**
 * How busy the machine is with what is not ours, from /proc: a measure means little while others
 * compile. Ours: this process, what it has started, and what of that has ended. Linux only: elsewhere 0.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { descendants } from './process-usage.ts';

const TICKS_PER_SECOND = 100;

export interface MachineTime {
  readonly atMs: number;
  /** CPU seconds of the whole machine since it started, stolen ones included. */
  readonly busySeconds: number;
  readonly oursSeconds: number;
}

export function machineTime(): MachineTime {
  return {
    atMs: performance.now(),
    busySeconds: busySeconds(),
    oursSeconds: [process.pid, ...descendants(process.pid)].reduce(
      (sum, pid) => sum + withEndedChildren(pid),
      0,
    ),
  };
}

/** What others took between two looks, in percent of all cores. */
export function foreignCpuPercent(before: MachineTime, after: MachineTime): number {
  const seconds = ((after.atMs - before.atMs) / 1_000) * cpus().length;
  const busy = after.busySeconds - before.busySeconds;
  const ours = after.oursSeconds - before.oursSeconds;
  return seconds > 0 ? Math.max(0, ((busy - ours) / seconds) * 100) : 0;
}

function busySeconds(): number {
  // user nice system idle iowait irq softirq steal
  const [, user, nice, system, , , irq, softirq, steal] = fields('/proc/stat', /\s+/);
  return sum([user, nice, system, irq, softirq, steal]) / TICKS_PER_SECOND;
}

/** utime, stime, and the same of the children that it has waited for. */
function withEndedChildren(pid: number): number {
  return sum(fields(`/proc/${pid}/stat`, /\) | /).slice(13, 17)) / TICKS_PER_SECOND;
}

function fields(path: string, separator: RegExp): string[] {
  try {
    const line = readFileSync(path, 'utf8').split('\n', 1)[0]!;
    // A process name may have spaces and brackets in it.
    return line.replace(/\(.*\)/, '(name)').split(separator);
  } catch {
    return [];
  }
}

function sum(texts: readonly (string | undefined)[]): number {
  return texts.reduce((total, text) => total + Number(text ?? 0), 0);
}
