import { expect, test } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import { Stops } from '../../../ticket-sales/app/stops.ts';

test('what was begun is ended in the reverse order, once, whatever fails', async () => {
  const ended: string[] = [];
  const stops = new Stops(silentLog);
  stops.add('broker', async () => void ended.push('broker'));
  stops.add('engine', () => Promise.reject(new Error('stuck')));
  stops.add('requests', async () => void ended.push('requests'));
  await Promise.all([stops.run(), stops.run()]);
  expect(ended).toEqual(['requests', 'broker']);
});
