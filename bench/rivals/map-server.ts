/** Raw node:http that repeats our answers from a Map: the ceiling of any server in Node. */
import { join } from 'node:path';
import { freePort } from '../../test/kit/apache-kafka.ts';
import { processUsage } from '../kit/usage/process-usage.ts';
import { startServer } from './http-process.ts';
import { NODE_RIVALS } from './node-packages.ts';
import type { HttpRival } from './rival.ts';

export const mapServer: HttpRival = {
  kind: 'http',
  whyNot: () => undefined,
  prepare: async () => {},
  start: async (directory, _zones, answers) => {
    const port = await freePort();
    const server = await startServer({
      command: [process.execPath, join(NODE_RIVALS, 'map-server.ts'), String(port)],
      port,
      logFile: join(directory, 'map-server.log'),
      input: answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''),
    });
    return {
      url: `http://127.0.0.1:${port}`,
      usage: () => {
        const { cpuSeconds, peakRssMiB } = processUsage(server.pid);
        return { appCpuSeconds: cpuSeconds, otherCpuSeconds: 0, appPeakRssMiB: peakRssMiB };
      },
      audit: async () => true,
      stop: () => server.stop(),
    };
  },
};
