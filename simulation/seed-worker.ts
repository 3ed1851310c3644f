/** Runs the seeds it is told, one after the other; undefined ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ScenarioModule } from './run-seeds.ts';
import type { Scenario, ScenarioOfSeed } from './scenario.ts';
import { simulate } from './simulate.ts';

// Errors are part of every run, and nobody reads their stacks here.
Error.stackTraceLimit = 0;

const { module, export: name } = workerData as ScenarioModule;
const exported = (await import(String(module))) as Record<string, Scenario | ScenarioOfSeed>;
const scenario = exported[name];
if (scenario === undefined) throw new Error(`${module} exports no scenario ${name}`);

parentPort!.on('message', async (seed: number | undefined) => {
  if (seed === undefined) parentPort!.close();
  else parentPort!.postMessage(await simulate(scenario, { seed }));
});
