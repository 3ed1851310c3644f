/** A worker thread that owns a task: opens it, writes on demand, closes it or just dies. */
import { parentPort, workerData } from 'node:worker_threads';
import { openTaskState } from '../../../stores/task-state.ts';
import { positionsAt, specOf, text } from '../serdes.ts';
import { optionsOf } from '../task-options.ts';

const port = parentPort!;
const specs = [specOf('words', text, text, { ttlMs: 1000 })];
const { directory } = workerData as { readonly directory: string };
const state = await openTaskState(optionsOf({ directory, specs }));
port.postMessage('open');

port.on('message', async (order: { readonly write?: number; readonly close?: true }) => {
  if (order.write !== undefined) {
    state.setTimestamp(order.write * 100);
    for (let key = 0; key < 50; key++) {
      state.store('words').put(`key-${100 + key}`, `${order.write}`);
    }
    state.freeze();
    await state.apply(positionsAt(order.write));
    port.postMessage('written');
  } else if (order.close) {
    await state.close({ clean: true });
    port.postMessage('closed');
    port.close();
  }
});
