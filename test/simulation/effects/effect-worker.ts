/** Runs one error after the other, as it is told; undefined ends it. */
import { parentPort } from 'node:worker_threads';
import { type EffectTask, tryOnce } from './one-error.ts';

parentPort!.on('message', async (task: EffectTask | undefined) => {
  if (task === undefined) parentPort!.close();
  else parentPort!.postMessage(await tryOnce(task));
});
