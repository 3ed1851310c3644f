/**
 * The how-tos, tried: every shell line of them, in one shell as a reader would type them, against a
 * sale on ports of its own. Where JSON follows a block of lines, the last line that they print is as it
 * says; `…` stands for anything.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type SaleProcess, saleProcess } from '../kit/sale-process.ts';

const root = resolve(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'millrace-how-to-'));
const sales: SaleProcess[] = [];

afterAll(async () => {
  for (const sale of sales) await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Step {
  readonly lines: string;
  /** What the last line that it prints is like; undefined = anything. */
  readonly shows: unknown;
}

/** Blocks of shell lines, each with the JSON that follows it at once. */
function stepsOf(page: string): Step[] {
  const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language,
    text: text!,
  }));
  return blocks.flatMap(({ language, text }, index) => {
    if (language !== 'sh') return [];
    const next = blocks[index + 1];
    const shows = next?.language === 'json' ? (JSON.parse(next.text) as unknown) : undefined;
    return [{ lines: text, shows }];
  });
}

/** What stands before `npm start` in the first block. */
function environmentOf({ lines }: Step): Record<string, string> {
  const before = lines.slice(0, lines.indexOf('npm start'));
  return Object.fromEntries(
    [...before.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]),
  );
}

const END = '=== the end of a step';

async function run(steps: readonly Step[], sale: SaleProcess): Promise<readonly string[]> {
  const { host } = new URL(sale.httpUrl);
  const script = steps
    .map(({ lines }) => `${lines}\necho; echo '${END}'`)
    .join('\n')
    .replaceAll('127.0.0.1:8080', host)
    .replaceAll('127.0.0.1:9092', sale.brokers)
    .replaceAll('127.0.0.1:8081', new URL(sale.registryUrl).host);
  const child = spawn('bash', ['-euo', 'pipefail'], {
    cwd: root,
    env: {
      ...process.env,
      PATH: `${join(process.execPath, '..')}:${process.env['PATH']}`,
      KAFKA_BROKERS: sale.brokers,
      SCHEMA_REGISTRY_URL: sale.registryUrl,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk;
  });
  child.stdin.end(script);
  const status = await new Promise((ended) => child.once('close', ended));
  if (status !== 0) throw new Error(`ended with ${status}: ${complaints}\n${output}`);
  return output.split(END);
}

/** Every member that is expected; text with `…` in it is anything. */
function expectLike(found: unknown, expected: unknown, where: string): void {
  if (typeof expected === 'string' && expected.includes('…')) {
    expect(found, where).toBeDefined();
  } else if (typeof expected === 'object' && expected !== null) {
    expect(found, where).toBeTypeOf('object');
    for (const [name, value] of Object.entries(expected)) {
      expectLike((found as Record<string, unknown>)[name], value, `${where}.${name}`);
    }
  } else {
    expect(found, where).toBe(expected);
  }
}

const missing = ['bash', 'curl', 'jq', 'kcat'].filter(
  (tool) => spawnSync('which', [tool]).status !== 0,
);
if (missing.length > 0) console.log(`SKIPPED: the how-tos (no ${missing.join(', ')})`);

describe.skipIf(missing.length > 0).each(['sell-by-http', 'sell-by-topic', 'festival', 'queries'])(
  'docs/how-to/%s.md',
  (name) => {
    test('works as it is written, line by line', { timeout: 180_000 }, async () => {
      const [start, ...steps] = stepsOf(readFileSync(join(root, `docs/how-to/${name}.md`), 'utf8'));
      expect(start?.lines).toContain('npm start');
      const env = environmentOf(start!);
      const sale = await saleProcess({ directory: join(directory, name), env });
      sales.push(sale);
      sale.start();
      await sale.ready();
      const outputs = await run(steps, sale);
      for (const [index, { lines, shows }] of steps.entries()) {
        if (shows === undefined) continue;
        const last = outputs[index]!.trim().split('\n').at(-1)!;
        expectLike(JSON.parse(last), shows, lines);
      }
      await sale.kill('SIGKILL');
    });
  },
);
