/** Koa before a database, as an HTTP rival: what all of them share. */
import { join } from 'node:path';
import { freePort } from '../../test/kit/apache-kafka.ts';
import { processUsage } from '../kit/usage/process-usage.ts';
import { startServer } from './http-process.ts';
import { installPackages, NODE_RIVALS, whyNoNpm } from './node-packages.ts';
import type { HttpRival, ZoneStock } from './rival.ts';

/** A database with the stock in it. */
export interface TicketDatabase {
  readonly pid: number;
  readonly port: number;
  /** Whether it has sold so many tickets, and no zone more than it has. */
  audit(sold: number): Promise<boolean>;
  stop(): Promise<void>;
}

export interface TicketDatabaseKind {
  /** File in node/backends. */
  readonly backend: string;
  whyNot(): string | undefined;
  /** Fresh in this folder. */
  start(directory: string, zones: readonly ZoneStock[]): Promise<TicketDatabase>;
}

export function ticketOffice(kind: TicketDatabaseKind): HttpRival {
  return {
    kind: 'http',
    whyNot: () => kind.whyNot() ?? whyNoNpm(),
    prepare: async () => installPackages(),
    start: async (directory, zones) => {
      const database = await kind.start(directory, zones);
      const port = await freePort();
      const file = join(NODE_RIVALS, 'ticket-office.ts');
      const args = [kind.backend, String(port), String(database.port)];
      const office = await startServer({
        command: [process.execPath, file, ...args],
        port,
        logFile: join(directory, 'office.log'),
      }).catch(async (error: unknown) => {
        await database.stop();
        throw error;
      });
      return {
        url: `http://127.0.0.1:${port}`,
        usage: () => {
          const app = processUsage(office.pid);
          return {
            appCpuSeconds: app.cpuSeconds,
            otherCpuSeconds: processUsage(database.pid).cpuSeconds,
            appPeakRssMiB: app.peakRssMiB,
          };
        },
        audit: (sold) => database.audit(sold),
        stop: async () => {
          await office.stop();
          await database.stop();
        },
      };
    },
  };
}
