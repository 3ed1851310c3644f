/**
 * Preload, in every thread: a bug in the sale's own code. Commands of buyers who are called `bug-before…`
 * make the processor throw before it has done anything, those of `bug-after…` once it has done all.
 */
import { TicketProcessor } from '../../../ticket-sales/sale/ticket-processor.ts';
import { around } from './around.ts';

around(TicketProcessor.prototype, 'process', (_processor, process, args) => {
  const [record] = args as Parameters<TicketProcessor['process']>;
  const buyerId = 'buyerId' in record.value ? record.value.buyerId : '';
  if (buyerId.startsWith('bug-before')) throw new TypeError('a planted bug, before any effect');
  process(record);
  if (buyerId.startsWith('bug-after')) throw new TypeError('a planted bug, after all effects');
});
