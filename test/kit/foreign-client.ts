/**
 * Kafka clients of other languages as child processes, fetched at pinned versions when a test needs
 * them: Go modules, a Python wheel, an npm package. What cannot be had is a reason to print beside SKIPPED;
 * a probe of ours that does not compile or run is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';

/** undefined when the command succeeds; else its last words, as the reason to print beside SKIPPED. */
export function whyNot(
  what: string,
  command: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string | undefined {
  const [file, ...args] = command;
  const ended = spawnSync(file, args, { ...options, encoding: 'utf8', timeout: 120_000 });
  if (ended.status === 0) return undefined;
  const lastWords = ended.stderr?.trim().split('\n').at(-1) ?? '';
  return `${what}: ${ended.error?.message ?? lastWords}`;
}

/** Runs a probe and resolves with the JSON object it prints last. Rejects with all it said when it fails. */
export function probe(command: readonly [string, ...string[]]): Promise<Record<string, unknown>> {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString('utf8')).slice(-20_000);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status !== 0) reject(new Error(`the probe ended with ${status}: ${complaints}`));
      else resolve(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
    });
  });
}
