/** `millrace payments` or `millrace notifications` as a child process: to be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface ServiceProcess {
  /** Starts it (again) on the same folders; resolves when it says that it runs. */
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export function serviceProcess(
  command: 'payments' | 'notifications',
  directory: string,
  env: Readonly<Record<string, string>>,
): ServiceProcess {
  let child: ChildProcess | undefined;
  const logFile = join(directory, `${command}.log`);
  return {
    start: () => {
      const started = spawn(process.execPath, ['cli/main.ts', command], {
        cwd: root,
        env: { ...process.env, STREAMS_STATE_DIR: join(directory, command), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      const log = createWriteStream(logFile, { flags: 'a' });
      started.stdout.pipe(log, { end: false });
      started.stderr.pipe(log, { end: false });
      return new Promise((isRunning, reject) => {
        started.once('exit', () =>
          reject(new Error(`${command} ended while starting: ${logFile}`)),
        );
        started.stdout.on('data', (chunk: Buffer) => {
          if (chunk.includes(`Millrace ${command}`)) isRunning();
        });
      });
    },
    kill: async (signal) => {
      const stopping = child;
      if (stopping === undefined || stopping.exitCode !== null || stopping.signalCode !== null) {
        return;
      }
      const ended = new Promise((resolveEnd) => stopping.once('exit', resolveEnd));
      stopping.kill(signal);
      await ended;
    },
  };
}
