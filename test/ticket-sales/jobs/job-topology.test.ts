import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.ts';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import {
  type Attempt,
  type AttemptResult,
  INTERRUPTED,
  type Job,
  type JobPolicies,
} from '../../../ticket-sales/jobs/job.ts';
import { JobFigures, type ServiceFigures } from '../../../ticket-sales/jobs/job-figures.ts';
import { JOB_STORES } from '../../../ticket-sales/jobs/job-processor.ts';
import { attemptSerde, jobTopology, resultSerde } from '../../../ticket-sales/jobs/job-topology.ts';
import { type Errand, errands, POLICIES, policy, result } from './samples.ts';

const topics = { attempts: 'attempts', results: 'results' };
const busy = new Set<string>();
let isStopping = false;
let driver: TopologyTestDriver;
let figures: ServiceFigures;

/** Jobs of former lives are taken over: from then on new ones are attempted at once. */
async function start(policies: JobPolicies = POLICIES, lookedMs = 200): Promise<void> {
  const topology = jobTopology<Errand>({
    sources: [errands],
    sourceOf: () => errands,
    topics,
    policies,
    retentionMs: 86_400_000,
    owner: 'me',
    random: seededRandom(7),
    isBusyWith: (jobId) => busy.has(jobId),
    mayAttempt: () => !isStopping,
    onSettled: (jobId) => void busy.delete(jobId),
    listener: figures,
  });
  driver = new TopologyTestDriver(topology, { initialWallClockTimeMs: 1_000_000 });
  await pass(lookedMs);
}

beforeEach(async () => {
  busy.clear();
  isStopping = false;
  figures = new JobFigures().of('errands');
  await start();
});
afterEach(() => driver.close());

const errand = (id: string, ...ways: string[]): Errand => ({ id, ways });

async function ask(...requests: Errand[]): Promise<void> {
  const input = driver.createInputTopic('errands', stringSerde, errands.serde);
  for (const request of requests) await input.pipeInput(request.id, request);
}

async function answer(...results: AttemptResult[]): Promise<void> {
  const input = driver.createInputTopic('results', stringSerde, resultSerde);
  for (const value of results) await input.pipeInput(value.jobId, value);
}

/** So many looks, each when the next is due. */
async function pass(durationMs: number): Promise<void> {
  for (let passed = 0; passed < durationMs; passed += 50) await driver.advanceWallClockTime(50);
}

function attempts(): string[] {
  const output = driver.createOutputTopic('attempts', stringSerde, attemptSerde);
  return output
    .readValuesToList()
    .map((value) => value as unknown as Attempt)
    .map(({ jobId, attempt }) => `${jobId}#${attempt}`);
}

function deadLetters() {
  const output = driver.createOutputTopic('errands.dlq', stringSerde, errands.serde);
  return output.readRecordsToList().map(({ key, value, headers }) => ({
    key,
    value,
    reason: headers.find(({ key: name }) => name === '__streams.errors.message')?.value?.toString(),
  }));
}

const job = (jobId: string) => driver.getKeyValueStore<string, Job>(JOB_STORES.jobs).get(jobId);

async function dueEntries(): Promise<string[]> {
  const entries: string[] = [];
  const store = driver.getKeyValueStore<string, string>(JOB_STORES.due);
  for await (const [, jobId] of store.range()) entries.push(jobId);
  return entries;
}

describe('a job', () => {
  test('is attempted once per way, whoever asks for it how often', async () => {
    await ask(errand('a', 'walk', 'letter'), errand('a', 'walk', 'letter'));
    await pass(200);
    await ask(errand('a', 'walk', 'letter'));
    await pass(200);
    expect(attempts().sort()).toEqual(['a:letter#1', 'a:walk#1']);
    expect(driver.droppedRecords().get('the job is known')).toBe(4);
  });

  test('that is done is never attempted again, and remembered without its request', async () => {
    await ask(errand('a', 'walk'));
    await pass(200);
    await answer(result('a:walk', 1, 'done'));
    await ask(errand('a', 'walk'));
    await pass(60_000);
    expect(attempts()).toEqual(['a:walk#1']);
    expect(job('a:walk')).toMatchObject({ state: 'done', request: null, attempts: 1 });
    expect(await dueEntries()).toEqual([]);
  });

  test('that fails is attempted again after a growing pause, and is a dead letter in the end', async () => {
    await ask(errand('a', 'walk'));
    await pass(200);
    await answer(result('a:walk', 1, 'retry'));
    await pass(400);
    expect(attempts()).toEqual(['a:walk#1']);
    await pass(800);
    expect(attempts()).toEqual(['a:walk#2']);
    await answer(result('a:walk', 2, 'retry'));
    await pass(800);
    expect(attempts()).toEqual([]);
    await pass(1_400);
    expect(attempts()).toEqual(['a:walk#3']);
    expect(deadLetters()).toEqual([]);
    await answer(result('a:walk', 3, 'retry', 'nobody is at home'));
    await pass(60_000);
    expect(attempts()).toEqual([]);
    expect(deadLetters()).toEqual([
      { key: 'a:walk', value: errand('a', 'walk'), reason: 'nobody is at home' },
    ]);
    expect(job('a:walk')?.state).toBe('failed');
  });

  test('that can never succeed is a dead letter at once', async () => {
    await ask(errand('a', 'walk'));
    await pass(200);
    await answer(result('a:walk', 1, 'failed', 'there is no such place'));
    expect(deadLetters()).toHaveLength(1);
    await pass(60_000);
    expect(attempts()).toEqual(['a:walk#1']);
  });

  test('takes no result of an attempt that is over, unless it says that all is done', async () => {
    await ask(errand('a', 'walk'));
    await pass(200);
    await answer(result('a:walk', 1, 'retry'));
    await pass(1_200);
    await answer(result('a:walk', 1, 'failed'));
    expect(job('a:walk')).toMatchObject({ state: 'attempted', attempts: 2 });
    await answer(result('a:walk', 1, 'done'));
    expect(job('a:walk')).toMatchObject({ state: 'done' });
    await answer(result('a:walk', 2, 'failed'));
    expect(job('a:walk')).toMatchObject({ state: 'done' });
    expect(deadLetters()).toEqual([]);
  });

  test('in doubt is attempted again only where twice is as good as once', async () => {
    await ask(errand('a', 'walk', 'letter'));
    await pass(200);
    attempts();
    await answer(result('a:walk', 1, 'uncertain'), result('a:letter', 1, 'uncertain', 'cut off'));
    await pass(1_200);
    expect(attempts()).toEqual(['a:walk#2']);
    expect(deadLetters().map(({ key, reason }) => [key, reason])).toEqual([
      ['a:letter', 'cut off'],
    ]);
  });

  test('that never comes to a result is a dead letter after as many attempts as others', async () => {
    await ask(errand('a', 'walk'));
    await pass(100_000);
    expect(attempts()).toEqual(['a:walk#1', 'a:walk#2', 'a:walk#3']);
    expect(deadLetters().map(({ reason }) => reason)).toEqual([INTERRUPTED]);
  });
});

describe('an attempt without a result', () => {
  test('is left alone as long as its worker is busy with it', async () => {
    busy.add('a:letter');
    await ask(errand('a', 'letter'));
    await pass(30_000);
    expect(attempts()).toEqual(['a:letter#1']);
    expect(job('a:letter')?.state).toBe('attempted');
    await answer(result('a:letter', 1, 'done'));
    expect(job('a:letter')?.state).toBe('done');
  });

  test('is given up when its lease is over: repeated, or a dead letter', async () => {
    await ask(errand('a', 'walk', 'letter'));
    await pass(11_000);
    expect(attempts().sort()).toEqual(['a:letter#1', 'a:walk#1', 'a:walk#2']);
    expect(deadLetters().map(({ key, reason }) => [key, reason])).toEqual([
      ['a:letter', INTERRUPTED],
    ]);
  });

  test('is known to be done when its result comes late after all', async () => {
    await ask(errand('a', 'letter'));
    await pass(11_000);
    await answer(result('a:letter', 1, 'done'));
    expect(job('a:letter')?.state).toBe('done');
  });
});

describe('what a former process left', () => {
  /** As its store has it, before anybody has looked. */
  async function leave(...jobs: Job[]): Promise<void> {
    await driver.close();
    await start(POLICIES, 0);
    for (const job of jobs) {
      const dueAt = String(job.dueAtMs).padStart(14, '0');
      const due = driver.getKeyValueStore<string, string>(JOB_STORES.due);
      const queue = job.state === 'attempted' ? 'leases' : `way:${job.way}`;
      due.put(`${queue}/${dueAt}/${job.jobId}`, job.jobId);
      driver.getKeyValueStore<string, Job>(JOB_STORES.jobs).put(job.jobId, job);
    }
  }
  const left = (way: string, owner: string, change: Partial<Job> = {}): Job => ({
    jobId: `a:${way}`,
    way,
    state: 'attempted',
    request: errand('a', way),
    requestedAtMs: 900_000,
    attempts: 1,
    dueAtMs: 1_005_000,
    owner,
    reason: null,
    ...change,
  });

  test('is done again at once where twice is as good as once', async () => {
    await leave(left('walk', 'another'));
    await pass(400);
    expect(attempts()).toEqual(['a:walk#2']);
    expect(await dueEntries()).toEqual(['a:walk']);
  });

  test('is waited for otherwise: its result may still come', async () => {
    await leave(left('letter', 'another'));
    await pass(4_000);
    await answer(result('a:letter', 1, 'done'));
    await pass(10_000);
    expect([attempts(), deadLetters()]).toEqual([[], []]);
  });

  test('is put aside when none has come', async () => {
    await leave(left('letter', 'another'));
    await pass(6_000);
    expect(deadLetters().map(({ reason }) => reason)).toEqual([INTERRUPTED]);
    expect(await dueEntries()).toEqual([]);
  });

  test('is attempted when it was only waiting, and put aside when nobody does it any more', async () => {
    const waiting = left('walk', '', { state: 'waiting', dueAtMs: 900_000 });
    const strange = left('fly', '', { state: 'waiting', dueAtMs: 2_000_000 });
    await leave(waiting, strange, left('zip', 'another', { dueAtMs: 900_000 }));
    await pass(200);
    expect(attempts()).toEqual(['a:walk#2']);
    expect(deadLetters().map(({ key }) => key)).toEqual(['a:fly', 'a:zip']);
    expect(await dueEntries()).toEqual(['a:walk']);
  });

  test('of this very process goes on as it was', async () => {
    busy.add('a:walk');
    await leave(left('walk', 'me'));
    await pass(10_000);
    expect(attempts()).toEqual([]);
    await answer(result('a:walk', 1, 'done'));
    expect(job('a:walk')?.state).toBe('done');
  });
});

describe('jobs of one way', () => {
  test('are attempted so many at a time, and go on as results come', async () => {
    await driver.close();
    await start(new Map([['walk', policy({ underwayMax: 2 })]]));
    await ask(...['a', 'b', 'c', 'd', 'e'].map((id) => errand(id, 'walk')));
    await pass(200);
    expect(attempts()).toEqual(['a:walk#1', 'b:walk#1']);
    await answer(result('a:walk', 1, 'done'), result('b:walk', 1, 'retry'));
    await pass(200);
    expect(attempts()).toEqual(['c:walk#1', 'd:walk#1']);
    await answer(result('c:walk', 1, 'done'), result('d:walk', 1, 'done'));
    await pass(2_000);
    expect(attempts()).toEqual(['e:walk#1', 'b:walk#2']);
  });

  test('are kept for the next start while the service stops', async () => {
    await ask(errand('a', 'walk'));
    isStopping = true;
    await ask(errand('b', 'walk'));
    await answer(result('a:walk', 1, 'retry'));
    await pass(5_000);
    expect(attempts()).toEqual(['a:walk#1']);
    isStopping = false;
    await pass(200);
    expect(attempts()).toEqual(['b:walk#1', 'a:walk#2']);
  });

  test('do not wait for ever for those whose results never come', async () => {
    await driver.close();
    await start(new Map([['letter', policy({ underwayMax: 1, isRepeatable: false })]]));
    await ask(...['a', 'b', 'c'].map((id) => errand(id, 'letter')));
    await pass(35_000);
    expect(attempts()).toEqual(['a:letter#1', 'b:letter#1', 'c:letter#1']);
    expect(deadLetters()).toHaveLength(3);
  });

  test('go in the order in which they came', async () => {
    await driver.close();
    await start(new Map([['walk', policy({ underwayMax: 2 })]]));
    await ask(...['a', 'b', 'c', 'd'].map((id) => errand(id, 'walk')));
    await answer(result('a:walk', 1, 'done'));
    await ask(errand('e', 'walk'));
    await answer(result('b:walk', 1, 'done'), result('c:walk', 1, 'done'));
    expect(attempts()).toEqual(['a:walk#1', 'b:walk#1', 'c:walk#1', 'd:walk#1', 'e:walk#1']);
  });

  test('do not wait for those of another', async () => {
    await driver.close();
    await start(
      new Map([
        ['walk', policy({ underwayMax: 1 })],
        ['letter', policy()],
      ]),
    );
    await ask(...['a', 'b', 'c'].map((id) => errand(id, 'walk', 'letter')));
    await pass(200);
    expect(attempts().sort()).toEqual(['a:letter#1', 'a:walk#1', 'b:letter#1', 'c:letter#1']);
  });

  test('fail when the service does not know the way', async () => {
    await ask(errand('a', 'fly'));
    await pass(200);
    expect(attempts()).toEqual([]);
    expect(deadLetters()).toHaveLength(1);
  });
});

test('jobs are counted: asked for, attempted, retried, delivered, put aside', async () => {
  await ask(errand('a', 'walk', 'letter'), errand('a', 'walk', 'letter'), errand('b', 'walk'));
  await answer(result('a:walk', 1, 'retry'), result('b:walk', 1, 'done'));
  await pass(1_200);
  await answer(result('a:walk', 2, 'done'), result('a:letter', 1, 'failed'));
  expect(Object.fromEntries(figures.counts)).toEqual({
    walk: { requested: 2, attempted: 3, retried: 1, delivered: 2, deadLettered: 0 },
    letter: { requested: 1, attempted: 1, retried: 0, delivered: 0, deadLettered: 1 },
  });
});

test('a job is as old as its request, not as its first attempt', async () => {
  const input = driver.createInputTopic('errands', stringSerde, errands.serde);
  await input.pipeInput('a', errand('a', 'walk'), 990_000);
  expect(job('a:walk')).toMatchObject({ state: 'attempted', requestedAtMs: 990_000 });
});
