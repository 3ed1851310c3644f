/** `millrace audit` as a process beside a running sale, asked again until the log is quiet. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../..');
const PATIENCE_MS = 60_000;
const AGAIN_MS = 1_000;
const NOT_VALID = 2;

export interface AuditorOptions {
  readonly brokers: string;
  readonly registryUrl: string;
  readonly applicationId: string;
  readonly journalFile: string;
}

export interface AuditorsWord {
  /** null = a signal ended it. */
  readonly exitCode: number | null;
  /** All that it said. */
  readonly report: string;
}

/** The first word that is a verdict; after a minute without one the log counts as settled, once. */
export async function auditWhenQuiet(options: AuditorOptions): Promise<AuditorsWord> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const isSettled = performance.now() > deadlineMs;
    const word = await auditOnce(options, isSettled);
    if (word.exitCode !== NOT_VALID || isSettled) return word;
    await sleep(AGAIN_MS);
  }
}

async function auditOnce(options: AuditorOptions, isSettled: boolean): Promise<AuditorsWord> {
  const { brokers, registryUrl, applicationId, journalFile } = options;
  const args = [
    ...['cli/main.ts', 'audit', '--live', '--journal', journalFile],
    ...['--brokers', brokers, '--registry', registryUrl],
    ...['--application-id', applicationId, ...(isSettled ? ['--settled'] : [])],
  ];
  const auditor = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let report = '';
  for (const stream of [auditor.stdout, auditor.stderr]) {
    stream.on('data', (text: Buffer) => {
      report += text.toString();
    });
  }
  const exitCode = await new Promise<number | null>((done) => auditor.once('close', done));
  return { exitCode, report };
}
