/** The network between an instance and Kafka: cut, slow, half-open, cut from one broker only. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkMode } from '../../kit/link-proxy.ts';
import type { InstanceName } from '../kit/ground.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 120;
const AFTER = 150;
const BRIEF_MS = 1_500;
/** Beyond the session (6 s): the group goes on without it. */
const LONG_MS = 10_000;
const TIMES = 4;

function become(stage: Stage, mode: LinkMode, name: InstanceName = 'one'): void {
  for (const link of stage.links(name)) link.become(mode);
}

function seen(stage: Stage, what: 'cut' | 'refused' | 'swallowedBytes' | 'delayedChunks'): number {
  return stage.links('one').reduce((sum, link) => sum + link.seen[what], 0);
}

async function again(stage: Stage, mode: LinkMode, forMs: number): Promise<void> {
  await stage.started();
  await stage.open();
  for (let time = 0; time < TIMES; time++) {
    await stage.load.decidesMore(BEFORE);
    stage.say(`${mode.kind}, ${time + 1} of ${TIMES}`);
    become(stage, mode);
    await sleep(forMs);
    become(stage, { kind: 'open' });
  }
  await stage.load.decidesMore(AFTER);
}

async function counted(
  stage: Stage,
  what: 'cut' | 'swallowedBytes' | 'delayedChunks',
  run: () => Promise<void>,
): Promise<Evidence> {
  const before = seen(stage, what);
  await run();
  const count = seen(stage, what) - before;
  expect(count > 0, `something ${what}`);
  return { [what]: count };
}

export const linkScenarios: readonly Scenario[] = [
  {
    name: 'link-cut',
    about: 'all connections of the instance broken and refused, four times for a moment',
    on: 'kafka',
    run: (stage) => counted(stage, 'cut', () => again(stage, { kind: 'cut' }, BRIEF_MS)),
  },
  {
    name: 'link-cut-beyond-session',
    about: 'one of two instances cut off until the other has its partitions',
    on: 'kafka',
    run: (stage) =>
      counted(stage, 'cut', async () => {
        await stage.started('one');
        await stage.open();
        await stage.started('two');
        await stage.load.decidesMore(BEFORE);
        become(stage, { kind: 'cut' });
        await sleep(LONG_MS);
        await stage.load.decidesMore(AFTER);
        become(stage, { kind: 'open' });
        await stage.until('one to have partitions again', async () => {
          return (await stage.runningTasks('one')) > 0;
        });
        await stage.load.decidesMore(AFTER);
      }),
  },
  {
    name: 'link-slow',
    about: 'answers trickle: 20 ms per kilobyte',
    on: 'kafka',
    run: (stage) =>
      counted(stage, 'delayedChunks', () =>
        again(stage, { kind: 'slow', delayMs: 20 }, 2 * BRIEF_MS),
      ),
  },
  {
    name: 'link-answers-lost',
    about: 'half-open: requests arrive, answers are swallowed, until the connections break',
    on: 'kafka',
    run: (stage) =>
      counted(stage, 'swallowedBytes', () =>
        again(stage, { kind: 'half-open', swallow: 'answers' }, BRIEF_MS),
      ),
  },
  {
    name: 'link-requests-lost',
    about: 'half-open the other way: requests vanish',
    on: 'kafka',
    run: (stage) =>
      counted(stage, 'swallowedBytes', () =>
        again(stage, { kind: 'half-open', swallow: 'requests' }, BRIEF_MS),
      ),
  },
  {
    name: 'link-black-hole',
    about: 'nothing comes through and nothing breaks, for longer than the session',
    on: 'kafka',
    run: (stage) =>
      counted(stage, 'swallowedBytes', async () => {
        await stage.started();
        await stage.open();
        await stage.load.decidesMore(BEFORE);
        become(stage, { kind: 'half-open', swallow: 'both' });
        await sleep(LONG_MS);
        become(stage, { kind: 'open' });
        await stage.load.decidesMore(AFTER);
      }),
  },
  {
    name: 'link-one-broker',
    about: 'the instance cut from one of three brokers, each in turn; the brokers see each other',
    on: 'kafka-3',
    run: (stage) =>
      counted(stage, 'cut', async () => {
        await stage.started();
        await stage.open();
        for (const [index, link] of stage.links().entries()) {
          await stage.load.decidesMore(BEFORE);
          stage.say(`cut from node ${index + 1}`);
          link.become({ kind: 'cut' });
          await sleep(2 * BRIEF_MS);
          link.become({ kind: 'open' });
        }
        await stage.load.decidesMore(AFTER);
      }),
  },
];
