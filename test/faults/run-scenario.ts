/** One scenario from an empty Kafka to its row in the table. Never rejects. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Grounds } from './kit/ground.ts';
import { Stage } from './kit/stage.ts';
import type { Judgement } from './load/crowd.ts';
import { type Evidence, expect, type Scenario, Skipped } from './scenario.ts';

export interface Row {
  readonly name: string;
  readonly on: string;
  readonly result: 'passed' | 'FAILED' | 'SKIPPED';
  readonly seconds: number;
  readonly purchases: number;
  readonly sold: number;
  /** What shows that the harm was done, or what went wrong, or why not. */
  readonly what: string;
}

export interface RunContext {
  readonly grounds: Grounds;
  readonly directory: string;
  /** More than one run of the same scenario: keeps their folders apart. */
  readonly round: number;
  /** For scenarios without an end of their own. */
  readonly minutes: number;
  readonly onProgress: (what: string) => void;
  /** Has processes to be ended when the program is. */
  readonly onStage: (stage: Stage) => void;
}

/** A scenario that hangs must not hang the others. Beside the minutes of those without an end. */
const OVER_WITHIN_MS = 20 * 60_000;

export async function runScenario(scenario: Scenario, context: RunContext): Promise<Row> {
  const startedMs = performance.now();
  const row = (result: Row['result'], what: string, purchases = 0, sold = 0): Row => ({
    name: scenario.name,
    on: scenario.on,
    result,
    seconds: Math.round((performance.now() - startedMs) / 1_000),
    purchases,
    sold,
    what,
  });
  const directory = join(context.directory, `${scenario.name}-${context.round}`);
  let stage: Stage | undefined;
  try {
    context.onProgress(`Kafka: ${scenario.on}`);
    const ground = await context.grounds.take(scenario.on);
    const { onProgress: progress, minutes } = context;
    stage = new Stage({ scenario, ground, directory, progress, minutes });
    context.onStage(stage);
    const limitMs = OVER_WITHIN_MS + minutes * 60_000;
    const { asked, sold, evidence } = await inTime(played(scenario, stage), limitMs);
    await stage.clear();
    await context.grounds.giveBack(ground);
    rmSync(directory, { recursive: true, force: true });
    return row('passed', textOf(evidence), asked, sold);
  } catch (error) {
    await stage?.clear();
    if (error instanceof Skipped) return row('SKIPPED', error.message);
    const why = error instanceof Error ? error.message : String(error);
    return row('FAILED', `${why} (${directory})`);
  }
}

async function played(scenario: Scenario, stage: Stage): Promise<Judgement> {
  const evidence = await scenario.run(stage);
  expect(Object.keys(evidence).length > 0, 'a scenario to show what it has done');
  const judged = await stage.judge();
  const later = await scenario.afterwards?.(stage);
  return { ...judged, evidence: { ...evidence, ...later, ...judged.evidence } };
}

function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`not over after ${limitMs / 60_000} minutes`));
    setTimeout(fail, limitMs).unref();
  });
  return Promise.race([work, late]);
}

function textOf(evidence: Evidence): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
