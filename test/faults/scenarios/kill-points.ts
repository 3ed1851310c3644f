/** SIGKILL at each of K1-K14, and the start after it. Where exactly: ../kit/failpoints.ts. */
import { rmSync } from 'node:fs';
import { KILL_POINTS, type KillPoint } from '../kit/kill-points.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

/** Times that the point is passed unharmed once it is armed. */
const AFTER_COMMITS = 4;
const BEFORE = 120;
const AFTER = 120;

/** While it works: armed from the start, reached under load. */
async function underLoad(stage: Stage, name: KillPoint): Promise<Evidence> {
  await stage.started();
  await stage.open({ httpEvery: name === 'K12' ? 3 : 20 });
  await stage.load.decidesMore(BEFORE);
  stage.arm({ name, hit: AFTER_COMMITS, deed: 'SIGKILL' });
  return killedAndBack(stage, name);
}

/** While it starts: a first life leaves something to come back to. */
async function atStart(stage: Stage, name: KillPoint): Promise<Evidence> {
  const one = await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  await one.kill('SIGKILL');
  // Without the stores there is something to restore.
  rmSync(stage.stateDirectory(), { recursive: true, force: true });
  stage.arm({ name, hit: 1, deed: 'SIGKILL' });
  one.start();
  return killedAndBack(stage, name);
}

/** A second instance takes half of the partitions. */
async function inRevoke(stage: Stage, name: KillPoint): Promise<Evidence> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  stage.arm({ name, hit: 1, deed: 'SIGKILL' });
  (await stage.instance('two')).start();
  const evidence = await killedAndBack(stage, name);
  await (await stage.instance('two')).ready();
  return evidence;
}

async function inStop(stage: Stage, name: KillPoint): Promise<Evidence> {
  const one = await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  stage.arm({ name, hit: 1, deed: 'SIGKILL' });
  await one.kill('SIGTERM');
  return killedAndBack(stage, name);
}

async function killedAndBack(stage: Stage, name: KillPoint): Promise<Evidence> {
  stage.say(`waiting for ${name}`);
  const endedBy = await stage.ended();
  expect(endedBy === 'SIGKILL', `an end by SIGKILL, not ${endedBy}`);
  const reached = await stage.logged(`failpoint ${name} reached`);
  expect(reached === 1, `${name} to be reached once, not ${reached} times`);
  const decidedBefore = stage.load.decided;
  await stage.started();
  await stage.load.decidesMore(AFTER);
  return { reached: name, 'decided before': decidedBefore };
}

const WAYS: Partial<Record<KillPoint, typeof underLoad>> = {
  K1: atStart,
  K2: atStart,
  K3: atStart,
  K13: inRevoke,
  K14: inStop,
};
/** The points between which an answer can be lost, for a look at every change. */
const SHORT: readonly KillPoint[] = ['K9', 'K10'];

export const killPointScenarios: readonly Scenario[] = (
  Object.keys(KILL_POINTS) as KillPoint[]
).map((name) => ({
  name: `kill-${name}`,
  about: KILL_POINTS[name],
  on: 'kafka',
  isShort: SHORT.includes(name),
  run: (stage) => (WAYS[name] ?? underLoad)(stage, name),
}));
