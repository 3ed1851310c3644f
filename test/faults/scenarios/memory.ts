/** Memory that runs out in the middle of a transaction: by V8's limit, and by the kernel's. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KillPoint } from '../kit/kill-points.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario, Skipped } from '../scenario.ts';

const BEFORE = 120;
const AFTER = 150;
const HIT = 4;
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=160' };
const MEMORY_GROUPS = '/sys/fs/cgroup/memory';
const GROUP_BYTES = 128 * 1024 * 1024;
/** Node's own words: of the main thread, and of a worker. */
const OUT_OF_MEMORY = /heap out of memory|heap limit|ERR_WORKER_OUT_OF_MEMORY/;

async function sellsAgain(stage: Stage): Promise<void> {
  await stage.started();
  await stage.load.decidesMore(AFTER);
}

/** Where the whole process lives on a small heap, and one thread fills it. */
async function outOfHeap(stage: Stage, name: KillPoint): Promise<Evidence> {
  await stage.started('one', SMALL_HEAP);
  await stage.open({ httpEvery: 5 });
  await stage.load.decidesMore(BEFORE);
  stage.arm({ name, hit: HIT, deed: 'HOARD' });
  const endedBy = await stage.ended();
  expect((await stage.logged(`failpoint ${name} reached`)) === 1, `${name} to be reached`);
  const told = await stage.logged(OUT_OF_MEMORY);
  expect(told > 0, `an end for want of memory, not just ${endedBy}`);
  await sellsAgain(stage);
  return { reached: name, 'ended by': endedBy };
}

/** What a group has by the name of its file. */
class MemoryGroup {
  readonly #directory: string;

  /** Throws Skipped where groups cannot be made. */
  constructor(name: string) {
    this.#directory = join(MEMORY_GROUPS, name);
    try {
      mkdirSync(this.#directory);
      this.#write('memory.limit_in_bytes', GROUP_BYTES);
    } catch (error) {
      throw new Skipped(`no memory cgroup can be made here (${(error as Error).message})`);
    }
  }

  /** What the process takes from now on counts; what it has does not. */
  add(pid: number): void {
    this.#write('cgroup.procs', pid);
  }

  /** Processes that the kernel has ended here. */
  get killed(): number {
    const text = readFileSync(join(this.#directory, 'memory.oom_control'), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  remove(): void {
    rmdirSync(this.#directory);
  }

  #write(file: string, value: number): void {
    writeFileSync(join(this.#directory, file), String(value));
  }
}

export const memoryScenarios: readonly Scenario[] = [
  {
    name: 'memory-heap-stream-thread',
    about: 'the heap of the stream thread is full in the middle of a transaction',
    on: 'kafka',
    run: (stage) => outOfHeap(stage, 'K6'),
  },
  {
    name: 'memory-heap-main-thread',
    about: 'the heap of the main thread is full while buyers wait for decisions that are committed',
    on: 'kafka',
    run: (stage) => outOfHeap(stage, 'K12'),
  },
  {
    name: 'memory-kernel',
    about: 'the memory of the process has a limit, and the kernel ends it in a transaction',
    on: 'kafka',
    run: async (stage) => {
      const group = new MemoryGroup(stage.applicationId);
      stage.atTheEnd(() => group.remove());
      const one = await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      group.add(one.pid!);
      stage.arm({ name: 'K6', hit: HIT, deed: 'HOARD' });
      const endedBy = await stage.ended();
      expect(endedBy === 'SIGKILL', `an end by SIGKILL, not ${endedBy}`);
      const { killed } = group;
      expect(killed > 0, 'the kernel to say that it has ended it');
      await sellsAgain(stage);
      return { 'ended by the kernel': killed };
    },
  },
];
