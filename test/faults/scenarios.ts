/** Every scenario of the fault program, in the order of the table. */
import type { Scenario } from './scenario.ts';
import { brokerScenarios } from './scenarios/brokers.ts';
import { clockScenarios } from './scenarios/clocks.ts';
import { damagedStoreScenarios } from './scenarios/damaged-stores.ts';
import { diskScenarios } from './scenarios/disk.ts';
import { killPointScenarios } from './scenarios/kill-points.ts';
import { lateEndTxnScenarios } from './scenarios/late-end-txn.ts';
import { lifeScenarios } from './scenarios/life.ts';
import { linkScenarios } from './scenarios/links.ts';
import { lostLogScenarios } from './scenarios/lost-logs.ts';
import { memoryScenarios } from './scenarios/memory.ts';
import { poisonScenarios } from './scenarios/poison.ts';
import { randomKillScenarios } from './scenarios/random-kills.ts';
import { recordScenarios } from './scenarios/records.ts';
import { soakScenarios } from './scenarios/soak.ts';
import { stormScenarios } from './scenarios/storms.ts';
import { strangeLogScenarios } from './scenarios/strange-logs.ts';
import { zombieScenarios } from './scenarios/zombies.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...killPointScenarios,
  ...randomKillScenarios,
  ...lifeScenarios,
  ...zombieScenarios,
  ...stormScenarios,
  ...clockScenarios,
  ...memoryScenarios,
  ...linkScenarios,
  ...lateEndTxnScenarios,
  ...diskScenarios,
  ...damagedStoreScenarios,
  ...recordScenarios,
  ...poisonScenarios,
  ...strangeLogScenarios,
  ...lostLogScenarios,
  ...brokerScenarios,
  ...soakScenarios,
];
