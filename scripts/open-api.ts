/** docs/openapi.json as data: the API with the defaults of all settings, as /openapi.json serves it. */
import { silentLog } from '../base/log.ts';
import type { QueryableStreams } from '../interactive-queries/queryable-streams.ts';
import { readConfig } from '../ticket-sales/app/config.ts';
import { packageVersion } from '../ticket-sales/app/package-version.ts';
import type { CommandSender } from '../ticket-sales/command-sender.ts';
import { createTicketApi } from '../ticket-sales/http/ticket-api.ts';
import { orderSerdes } from '../ticket-sales/orders/order-records.ts';
import { ticketSerdes } from '../ticket-sales/records.ts';

/** An API that nobody asks: what its routes stand on is never there. */
export function openApiPage(): object {
  const nobody = () => Promise.reject(new Error('a description asks nobody'));
  const registry = { register: nobody, schemaById: nobody };
  const streams: Partial<QueryableStreams> = {
    applicationId: 'ticket-sales',
    onCommitted: () => () => {},
  };
  const sender: CommandSender = { send: nobody };
  return createTicketApi({
    config: readConfig({}).config,
    streams: streams as QueryableStreams,
    sender,
    serdes: ticketSerdes(registry),
    orders: orderSerdes(registry),
    hasIntake: true,
    log: silentLog,
    self: { host: '127.0.0.1', port: 8_080 },
    version: packageVersion(),
  }).openApi;
}
