/** Runs the seeds it is told, one after the other; undefined ends it. */
import { parentPort } from 'node:worker_threads';
import { simulate } from './simulate.ts';

// Errors are part of every run, and nobody reads their stacks here.
Error.stackTraceLimit = 0;

parentPort!.on('message', async (seed: number | undefined) => {
  if (seed === undefined) parentPort!.close();
  else parentPort!.postMessage(await simulate({ seed }));
});
