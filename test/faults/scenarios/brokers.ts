/** Brokers that die: the only one there is, each of three in turn, two of three at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 150;
const AFTER = 150;
const DOWN_MS = 3_000;

async function running(stage: Stage): Promise<void> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
}

/** Every role is hit: leader of whatever, transaction and group coordinator, controller. */
async function eachInTurn(stage: Stage, signal: NodeJS.Signals): Promise<Evidence> {
  await running(stage);
  const whileDown: number[] = [];
  for (const node of stage.ground.nodes) {
    stage.say(`${signal} for node ${node.nodeId}`);
    await node.stop(signal);
    expect(node.process() === undefined, `node ${node.nodeId} to be down`);
    const before = stage.load.decided;
    await stage.load.decidesMore(AFTER);
    whileDown.push(stage.load.decided - before);
    await node.start();
    await stage.load.decidesMore(AFTER);
  }
  return { killed: stage.ground.nodes.length, 'decided while one was down': whileDown.join('+') };
}

export const brokerScenarios: readonly Scenario[] = [
  {
    name: 'broker-killed',
    about: 'SIGKILL of the only broker, and its start',
    on: 'kafka',
    run: async (stage) => {
      await running(stage);
      const [node] = stage.ground.nodes;
      expect(node !== undefined, 'a broker that is ours to kill');
      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        stage.say(`${signal} for the broker`);
        await node.stop(signal);
        await sleep(DOWN_MS);
        await node.start();
        await stage.load.decidesMore(AFTER);
      }
      return { killed: 1, 'orderly stopped': 1 };
    },
  },
  {
    name: 'brokers-killed-in-turn',
    about: 'SIGKILL and start of each of three nodes, one after the other',
    on: 'kafka-3',
    run: (stage) => eachInTurn(stage, 'SIGKILL'),
  },
  {
    name: 'brokers-rolling',
    about: 'orderly stop and start of each of three nodes, one after the other',
    on: 'kafka-3',
    run: (stage) => eachInTurn(stage, 'SIGTERM'),
  },
  {
    name: 'brokers-without-quorum',
    about: 'two of three nodes down at once: nothing may be acknowledged until one is back',
    on: 'kafka-3',
    run: async (stage) => {
      await running(stage);
      const [first, second] = stage.ground.nodes;
      expect(first !== undefined && second !== undefined, 'three nodes');
      await Promise.all([first.stop('SIGKILL'), second.stop('SIGKILL')]);
      // What was committed before the second died may still arrive.
      await sleep(DOWN_MS);
      const before = stage.load.decided;
      await sleep(DOWN_MS);
      expect(stage.load.decided === before, 'no decision with one in-sync replica of min 2');
      await first.start();
      await stage.load.decidesMore(AFTER);
      await second.start();
      await stage.load.decidesMore(AFTER);
      return { 'down at once': 2, 'decided meanwhile': 'none' };
    },
  },
];
