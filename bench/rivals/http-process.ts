/** A process that answers at a port: a server of a rival, or its database. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { answers } from '../kit/platform.ts';

const LOG_TAIL = 4_000;

export interface ServerProcess {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServerCommand {
  readonly command: readonly string[];
  readonly port: number;
  readonly logFile: string;
  /** Written to its stdin, which then ends. */
  readonly input?: string;
  /** Who runs it; unset = we. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Resolves when somebody listens there. Its output goes to the log file. */
export async function startServer(what: ServerCommand): Promise<ServerProcess> {
  const [program = '', ...args] = what.command;
  const log = openSync(what.logFile, 'a');
  const child = spawn(program, args, {
    stdio: ['pipe', log, log],
    env: { ...process.env, NODE_ENV: 'production' },
    ...what.user,
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.stdin?.end(what.input ?? '');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  try {
    await Promise.race([answers(`127.0.0.1:${what.port}`, hasEnded), failed]);
  } catch (cause) {
    await stop(child);
    const said = readFileSync(what.logFile, 'utf8').slice(-LOG_TAIL);
    throw new Error(`${program} does not start; it said last:\n${said}`, { cause });
  }
  return { pid: child.pid!, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await ended;
}
