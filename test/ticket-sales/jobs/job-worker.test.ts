import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import { ManualClock } from '../../../base/manual-clock.ts';
import { seededRandom } from '../../../base/random.ts';
import type { Producer } from '../../../kafka/ports.ts';
import { fromBytes } from '../../../schemas/serde.ts';
import type { Attempt, AttemptResult } from '../../../ticket-sales/jobs/job.ts';
import { attemptSerde, resultSerde } from '../../../ticket-sales/jobs/job-topology.ts';
import {
  JobRefused,
  JobUncertain,
  JobWorker,
  type PerformJob,
} from '../../../ticket-sales/jobs/job-worker.ts';
import { drive, settle } from '../../kit/drive.ts';
import { policy } from './samples.ts';

class Scene {
  readonly clock = new ManualClock();
  readonly results: (AttemptResult & { readonly partition: number })[] = [];
  readonly begun: string[] = [];
  /** Job -> how its attempt ends. */
  readonly ends = new Map<string, (error?: Error) => void>();
  refusals = 0;
  readonly worker: JobWorker<string>;

  constructor(perform?: PerformJob<string>) {
    const send: Producer['send'] = async (_, partition, { value }) => {
      if (this.refusals-- > 0) throw new Error('no leader');
      this.results.push({ partition, ...fromBytes(resultSerde, value!) });
      return { partition, offset: 0 };
    };
    this.worker = new JobWorker<string>({
      owner: 'me',
      policies: new Map([
        ['walk', policy({ parallelMax: 2 })],
        ['letter', policy({ parallelMax: 1 })],
      ]),
      perform: perform ?? ((attempt) => this.#perform(attempt)),
      attemptSerde,
      resultSerde,
      resultsTopic: 'results',
      producer: { send } as Producer,
      clock: this.clock,
      random: seededRandom(1),
      log: silentLog,
    });
  }

  #perform({ jobId }: Attempt<string>): Promise<void> {
    this.begun.push(jobId);
    return new Promise((resolve, reject) => {
      this.ends.set(jobId, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  offer(jobId: string, way = 'walk', change: Partial<Attempt<string>> = {}): void {
    this.worker.offer(3, { jobId, way, attempt: 1, owner: 'me', request: 'x', ...change });
  }

  async end(jobId: string, error?: Error): Promise<void> {
    this.ends.get(jobId)!(error);
    await settle();
  }
}

describe('the worker', () => {
  test('says how an attempt ended, in the partition it came from', async () => {
    const scene = new Scene();
    const ends = [
      ['done', undefined, 'done', null],
      ['refused', new JobRefused('never'), 'failed', 'never'],
      ['uncertain', new JobUncertain('perhaps'), 'uncertain', 'perhaps'],
      [
        'broken',
        new Error('later', { cause: { code: 'ECONNREFUSED' } }),
        'retry',
        'later (ECONNREFUSED)',
      ],
    ] as const;
    for (const [jobId, error, outcome, reason] of ends) {
      scene.offer(jobId);
      await scene.end(jobId, error);
      const result = { kind: 'result', jobId, attempt: 1, outcome, reason, partition: 3 };
      expect(scene.results.pop()).toEqual(result);
    }
  });

  test('does so many of a way at a time, in their order, and those of another beside them', async () => {
    const scene = new Scene();
    for (const jobId of ['a', 'b', 'c', 'd']) scene.offer(jobId);
    scene.offer('x', 'letter');
    scene.offer('y', 'letter');
    expect(scene.begun).toEqual(['a', 'b', 'x']);
    await scene.end('b');
    expect(scene.begun).toEqual(['a', 'b', 'x', 'c']);
    await scene.end('x');
    expect(scene.begun).toEqual(['a', 'b', 'x', 'c', 'y']);
  });

  test('takes an attempt once, and of somebody else none', async () => {
    const scene = new Scene();
    scene.offer('a');
    scene.offer('a');
    scene.offer('b', 'walk', { owner: 'another' });
    scene.offer('c', 'fly');
    expect(scene.begun).toEqual(['a']);
    await scene.end('a');
    scene.offer('a', 'walk', { attempt: 2 });
    expect(scene.begun).toEqual(['a', 'a']);
  });

  test('is busy with a job until its result has been taken from the log, however long that takes', async () => {
    const scene = new Scene();
    scene.refusals = 3;
    scene.offer('a');
    expect(scene.worker.isBusyWith('a')).toBe(true);
    await scene.end('a');
    expect(scene.worker.isBusyWith('a')).toBe(true);
    await drive(
      scene.clock,
      (async () => {
        while (scene.results.length === 0) await scene.clock.sleep(10);
      })(),
    );
    await settle();
    expect([scene.worker.isBusyWith('a'), scene.results.length]).toEqual([true, 1]);
    scene.worker.settled('a');
    expect(scene.worker.isBusyWith('a')).toBe(false);
  });

  test('that stops lets what is begun come to an end, gives the rest back, and begins nothing more', async () => {
    const scene = new Scene();
    for (const jobId of ['a', 'b', 'c']) scene.offer(jobId);
    let isClosed = false;
    void scene.worker.close(10_000).then(() => {
      isClosed = true;
    });
    scene.offer('d');
    await settle();
    expect(isClosed).toBe(false);
    await scene.end('a');
    await scene.end('b');
    expect(isClosed).toBe(true);
    expect(scene.begun).toEqual(['a', 'b']);
    const told = scene.results.map(({ jobId, outcome }) => `${jobId} ${outcome}`).sort();
    expect(told).toEqual(['a done', 'b done', 'c retry', 'd retry']);
  });

  test('that stops waits no longer than it may', async () => {
    const scene = new Scene();
    scene.offer('a');
    await drive(scene.clock, scene.worker.close(10_000));
    expect(scene.clock.monotonicMs()).toBe(10_000);
  });

  test('tells those at work that it stops', async () => {
    const scene = new Scene(async (_, signal) => {
      await scene.clock.sleep(60_000, signal);
      throw new Error('stopped');
    });
    scene.offer('a');
    await scene.worker.close(10_000);
    expect(scene.results.map(({ outcome }) => outcome)).toEqual(['retry']);
  });
});
