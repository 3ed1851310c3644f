/** The embedded broker as a process of its own, for clients that others wrote: it can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const MAIN = path.resolve(import.meta.dirname, '../../../embedded-kafka/main.ts');

export class BrokerChild {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'broker-child-'));
  readonly #config: readonly string[];
  #process: ChildProcess | undefined;
  #port = 0;

  private constructor(config: Readonly<Record<string, string>>) {
    this.#config = Object.entries(config).flatMap(([name, value]) => [
      '--config',
      `${name}=${value}`,
    ]);
  }

  static async start(config: Readonly<Record<string, string>> = {}): Promise<BrokerChild> {
    const child = new BrokerChild(config);
    await child.start();
    return child;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** On the same data, and the same port once it has one. Rejects with what the process said when it ends. */
  async start(): Promise<void> {
    const args = [MAIN, '--data-dir', this.directory, '--listen', this.address, ...this.#config];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = started;
    let said = '';
    started.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-10_000);
    });
    const listening = new Promise<number>((resolve, reject) => {
      let output = '';
      started.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8');
        const port = /listening on .*:(\d+)\n/.exec(output)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
      started.once('exit', () => reject(new Error(`the broker ended: ${said}`)));
    });
    this.#port = await listening;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const exited = once(running, 'exit');
    running.kill(signal);
    await exited;
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
