/** What users import in tests: a whole topology in memory, and a clock that moves when told to. */
export { ManualClock } from './base/manual-clock.ts';
export { seededRandom } from './base/random.ts';
export type { TestInputTopic, TestOutputTopic } from './runtime/test-driver/test-topics.ts';
export {
  TopologyTestDriver,
  type TopologyTestDriverOptions,
} from './runtime/topology-test-driver.ts';
