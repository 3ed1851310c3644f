/** What a scenario of the fault program is, and what it may say about itself. */
import type { Stage } from './kit/stage.ts';

/** Which Kafka a scenario runs on: each is started once, when the first that needs it comes. */
export type GroundName = 'embedded' | 'kafka' | 'kafka-v1' | 'kafka-3';

export type Preload = 'clock-jumps' | 'slow-disk' | 'planted-bug';

export interface Scenario {
  /** As on the command line. */
  readonly name: string;
  /** One line: what is done to whom. */
  readonly about: string;
  readonly on: GroundName;
  /** Part of the set that CI runs. */
  readonly isShort?: boolean;
  /** More environment of the app. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files of kit/ that the app's process loads before its own code, besides the failpoints. */
  readonly preloads?: readonly Preload[];
  /**
   * Does the harm while the sale runs, and resolves with what shows that it was really done. The
   * harness then lets everything be decided, proves the sale and calls the auditor. Throws when the
   * harm did not happen, or when the app does what it must not; `Skipped` when this machine cannot.
   */
  run(stage: Stage): Promise<Evidence>;
  /** After the judgement: harm that leaves no log to be judged, and what the app must do about it. */
  afterwards?(stage: Stage): Promise<Evidence>;
}

/** Facts for the table, e.g. `{ fenced: 2, restored: 1 }`. None may be zero or empty by accident. */
export type Evidence = Readonly<Record<string, number | string>>;

export class Skipped extends Error {}

/** What a scenario claims must hold, else the run has failed. */
export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`expected ${what}`);
}
