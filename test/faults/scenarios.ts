/** Every scenario of the fault program, in the order of the table. */
import type { Scenario } from './scenario.ts';
import { killPointScenarios } from './scenarios/kill-points.ts';

export const SCENARIOS: readonly Scenario[] = [...killPointScenarios];
