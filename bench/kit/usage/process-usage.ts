/**
 * What processes have used, from /proc: CPU seconds by thread name, children included, and the
 * high-water mark of memory. Linux only: elsewhere everything is 0.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in these, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** By thread name; threads that have ended are under ''. */
  readonly cpuSecondsByThread: ReadonlyMap<string, number>;
  /** VmHWM, summed over the process and its children. */
  readonly peakRssMiB: number;
  readonly rssMiB: number;
}

export function processUsage(pid: number): ProcessUsage {
  const byThread = new Map<string, number>();
  let [cpuSeconds, peakRssMiB, rssMiB] = [0, 0, 0];
  for (const member of [pid, ...descendants(pid)]) {
    const own = stat(`/proc/${member}/stat`);
    cpuSeconds += own?.cpuSeconds ?? 0;
    let living = 0;
    for (const thread of list(`/proc/${member}/task`)) {
      const used = stat(`/proc/${member}/task/${thread}/stat`);
      if (used === undefined) continue;
      living += used.cpuSeconds;
      byThread.set(used.name, (byThread.get(used.name) ?? 0) + used.cpuSeconds);
    }
    const ended = (own?.cpuSeconds ?? 0) - living;
    if (ended > 0) byThread.set('', (byThread.get('') ?? 0) + ended);
    const status = read(`/proc/${member}/status`);
    peakRssMiB += kilobytes(status, 'VmHWM') / 1024;
    rssMiB += kilobytes(status, 'VmRSS') / 1024;
  }
  return { cpuSeconds, cpuSecondsByThread: byThread, peakRssMiB, rssMiB };
}

export function descendants(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function stat(path: string): { name: string; cpuSeconds: number } | undefined {
  const text = read(path);
  const [from, to] = [text.indexOf('('), text.lastIndexOf(')')];
  if (to < 0) return undefined;
  // After the name: state is the third field, utime the 14th, stime the 15th.
  const fields = text.slice(to + 2).split(' ');
  const ticks = Number(fields[14 - 3]) + Number(fields[15 - 3]);
  return { name: text.slice(from + 1, to), cpuSeconds: ticks / TICKS_PER_SECOND };
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
}

/** Processes and threads come and go: what is not there any more is empty. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
