/** Every scenario of the fault program, in the order of the table. */
import type { Scenario } from './scenario.ts';
import { brokerScenarios } from './scenarios/brokers.ts';
import { damagedStoreScenarios } from './scenarios/damaged-stores.ts';
import { diskScenarios } from './scenarios/disk.ts';
import { killPointScenarios } from './scenarios/kill-points.ts';
import { lateEndTxnScenarios } from './scenarios/late-end-txn.ts';
import { linkScenarios } from './scenarios/links.ts';
import { lostLogScenarios } from './scenarios/lost-logs.ts';
import { randomKillScenarios } from './scenarios/random-kills.ts';
import { recordScenarios } from './scenarios/records.ts';
import { zombieScenarios } from './scenarios/zombies.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...killPointScenarios,
  ...randomKillScenarios,
  ...zombieScenarios,
  ...linkScenarios,
  ...lateEndTxnScenarios,
  ...diskScenarios,
  ...damagedStoreScenarios,
  ...recordScenarios,
  ...lostLogScenarios,
  ...brokerScenarios,
];
