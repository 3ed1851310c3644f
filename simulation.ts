/** What users import to try their own topology under everything that can go wrong: the reviewed list. */
export {
  runSeeds,
  type ScenarioModule,
  type SeedsOptions,
  type Tally,
} from './simulation/run-seeds.ts';
export type {
  Outcome,
  Scenario,
  ScenarioOfSeed,
  SendOutcome,
  SimulatedRun,
  StoreContent,
  Workload,
} from './simulation/scenario.ts';
export { type RunResult, type SimulateOptions, simulate } from './simulation/simulate.ts';
export type { ReadRecord } from './simulation/topic-reader.ts';
export { between, chance, pick } from './simulation/world/draw.ts';
