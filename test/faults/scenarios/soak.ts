/**
 * A long load on two instances, and every few seconds another fault, drawn without replacement until
 * each had its turn; a quarter of the time is calm. It counts as a soak only when each fault was met.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkMode } from '../../kit/link-proxy.ts';
import type { InstanceName } from '../kit/ground.ts';
import { STALL_MS } from '../kit/kill-points.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario, Skipped } from '../scenario.ts';

const TURN_MS = 5_000;
const STOPPED_MS = 8_000;
const CUT_MS = 3_000;
const PER_TURN = 50;
/** Beyond what a quarter of the turns needs. */
const CALM_TURNS = 3;
const NAMES: readonly InstanceName[] = ['one', 'two'];

type Fault = (stage: Stage, name: InstanceName) => Promise<void>;

async function restarted(stage: Stage, name: InstanceName, signal: NodeJS.Signals): Promise<void> {
  await (await stage.instance(name)).kill(signal);
  await stage.started(name);
}

const linkBecomes =
  (mode: LinkMode): Fault =>
  async (stage, name) => {
    for (const link of stage.links(name)) link.become(mode);
    await sleep(CUT_MS);
    for (const link of stage.links(name)) link.become({ kind: 'open' });
  };

async function brokerRestarts(stage: Stage, signal: NodeJS.Signals): Promise<void> {
  const [node] = stage.ground.nodes;
  if (node === undefined) throw new Skipped('needs a broker that is ours to kill');
  await node.stop(signal);
  await node.start();
}

const FAULTS: Readonly<Record<string, Fault>> = {
  killed: (stage, name) => restarted(stage, name, 'SIGKILL'),
  'stopped orderly': (stage, name) => restarted(stage, name, 'SIGTERM'),
  'stood still': async (stage, name) => {
    const { pid } = await stage.instance(name);
    process.kill(pid!, 'SIGSTOP');
    await sleep(STOPPED_MS);
    process.kill(pid!, 'SIGCONT');
  },
  'stalled in a transaction': async (stage, name) => {
    const before = await stage.logged('failpoint K8 reached', name);
    stage.arm({ name: 'K8', hit: 1, deed: 'STALL' }, name);
    await stage.hasLogged('failpoint K8 reached', name, before + 1);
    await sleep(STALL_MS);
  },
  'cut off': linkBecomes({ kind: 'cut' }),
  'answers lost': linkBecomes({ kind: 'half-open', swallow: 'answers' }),
  'slow link': linkBecomes({ kind: 'slow', delayMs: 20 }),
  'slow disk': async (stage, name) => {
    stage.slowDisk([100, 1_000], name);
    await sleep(TURN_MS);
    stage.slowDisk(undefined, name);
  },
  'broker killed': (stage) => brokerRestarts(stage, 'SIGKILL'),
  'broker stopped': (stage) => brokerRestarts(stage, 'SIGTERM'),
};

/** Every fault once, and calm between them, in an order of its own each time. */
function deck(): (readonly [name: string, fault: Fault])[] {
  const calm: Fault = () => Promise.resolve();
  const cards: (readonly [string, Fault])[] = [
    ...Object.entries(FAULTS),
    ...Array.from({ length: CALM_TURNS }, () => ['calm', calm] as const),
  ];
  return cards
    .map((card) => [Math.random(), card] as const)
    .sort(([a], [b]) => a - b)
    .map(([, card]) => card);
}

async function soaked(stage: Stage): Promise<Evidence> {
  for (const name of NAMES) {
    await stage.started(name);
    if (name === 'one') await stage.open({ ratePerSecond: 100, zoneCapacity: 2_000 });
  }
  const counts = new Map(Object.keys(FAULTS).map((name) => [name, 0]));
  const endsMs = performance.now() + stage.minutes * 60_000;
  let cards = deck();
  while (performance.now() < endsMs) {
    const [what, fault] = cards.pop()!;
    if (cards.length === 0) cards = deck();
    const whom = NAMES[Math.floor(Math.random() * NAMES.length)]!;
    const turn = sleep(TURN_MS);
    stage.say(`${what} (${whom})`);
    await fault(stage, whom);
    await Promise.all([turn, stage.load.decidesMore(PER_TURN)]);
    counts.set(what, (counts.get(what) ?? 0) + 1);
    for (const name of NAMES) {
      expect(!(await stage.instance(name)).hasEnded, `${name} to survive: ${what} (${whom})`);
    }
  }
  const missed = [...counts].filter(([, count]) => count === 0).map(([name]) => name);
  expect(
    missed.length === 0,
    `each fault to be met; --minutes is too few for ${missed.join(', ')}`,
  );
  return {
    ...Object.fromEntries(counts),
    'longest wait for a decision, ms': stage.load.longestGapMs,
  };
}

export const soakScenarios: readonly Scenario[] = [
  {
    name: 'soak',
    about: 'two instances under load for --minutes, another fault every few seconds',
    on: 'kafka',
    preloads: ['slow-disk'],
    run: soaked,
  },
];
