/** Writes batch after batch into the state in argv[2], saying which one is on its way, until killed. */
import { openTaskState } from '../../../stores/task-state.ts';
import { positionsAt, specOf, text } from '../serdes.ts';
import { optionsOf } from '../task-options.ts';

const state = await openTaskState(
  optionsOf({ directory: process.argv[2]!, specs: [specOf('words', text, text)] }),
);
const store = state.store<string, string>('words');
const first = state.positions().changelogs.get('words')?.offset ?? 0;
for (let batch = first + 1; ; batch++) {
  for (let key = 0; key < 200; key++) store.put(`key-${key}`, `${batch}-${'x'.repeat(100)}`);
  state.freeze();
  process.stdout.write(`${batch}\n`);
  await state.apply(positionsAt(batch));
}
