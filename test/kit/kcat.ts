/** kcat (librdkafka), a client that is not ours, as a child process. */
import { spawn, spawnSync } from 'node:child_process';

/** undefined when kcat is there; else the reason to print beside SKIPPED. */
export function whyNoKcat(): string | undefined {
  return spawnSync('kcat', ['-V']).status === 0 ? undefined : 'no kcat on the PATH';
}

/** Runs kcat and resolves with what it printed. Rejects with its complaints when it fails. */
export function kcat(brokers: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('kcat', ['-b', brokers, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const complaints: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`kcat ended with ${status}: ${Buffer.concat(complaints)}`));
    });
    child.stdin.end(input);
  });
}
