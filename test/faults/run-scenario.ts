/** One scenario from an empty Kafka to its row in the table. Never rejects. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Grounds } from './kit/ground.ts';
import { Stage } from './kit/stage.ts';
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
  readonly onProgress: (what: string) => void;
  /** Has processes to be ended when the program is. */
  readonly onStage: (stage: Stage) => void;
}

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
    stage = new Stage(scenario, ground, directory, context.onProgress);
    context.onStage(stage);
    const evidence = await scenario.run(stage);
    expect(Object.keys(evidence).length > 0, 'a scenario to show what it has done');
    const { proof, repeated } = await stage.judge();
    const { asked, sold } = proof;
    const later = await scenario.afterwards?.(stage);
    await stage.clear();
    await context.grounds.giveBack(ground);
    rmSync(directory, { recursive: true, force: true });
    return row('passed', textOf({ ...evidence, ...later, repeated }), asked, sold);
  } catch (error) {
    await stage?.clear();
    if (error instanceof Skipped) return row('SKIPPED', error.message);
    const why = error instanceof Error ? error.message : String(error);
    return row('FAILED', `${why} (${directory})`);
  }
}

function textOf(evidence: Evidence): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
