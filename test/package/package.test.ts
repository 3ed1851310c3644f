/** The package as npm users get it: packed, installed in an empty project, type-checked, run. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../kit/apache-kafka.ts';

const root = resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'millrace-package-'));
const project = join(scratch, 'project');

const WORD_COUNT = `
import { StreamsBuilder, stringSerde, int64Serde } from 'millrace';
import { TopologyTestDriver } from 'millrace/testing';

const builder = new StreamsBuilder();
builder
  .stream('lines', { name: 'lines', keySerde: stringSerde, valueSerde: stringSerde })
  .flatMapValues((line) => line.toLowerCase().split(/\\W+/).filter((word) => word !== ''), { name: 'words' })
  .groupBy((_key, word) => word, { name: 'by-word', keySerde: stringSerde, valueSerde: stringSerde })
  .count({ name: 'count', store: 'counts' })
  .toStream({ name: 'changes' })
  .to('word-counts', { name: 'out', keySerde: stringSerde, valueSerde: int64Serde });

const driver = new TopologyTestDriver(builder.build());
const lines = driver.createInputTopic('lines', stringSerde, stringSerde);
const counts = driver.createOutputTopic('word-counts', stringSerde, int64Serde);
await lines.pipeInput('1', 'to be or not to be');
console.log(JSON.stringify(Object.fromEntries(counts.readKeyValuesToMap())));
await driver.close();
`;

/** An outsider's word count under faults: the counts must be what the lines in the log come to. */
const SIMULATED_WORD_COUNT = `
import { StreamsBuilder, stringSerde, int64Serde } from 'millrace';
import { pick, type ReadRecord, runSeeds, type Scenario, simulate } from 'millrace/simulation';

const builder = new StreamsBuilder();
builder
  .stream('lines', { name: 'lines', keySerde: stringSerde, valueSerde: stringSerde })
  .flatMapValues((line) => line.split(' '), { name: 'words' })
  .groupBy((_key, word) => word, { name: 'by-word', keySerde: stringSerde, valueSerde: stringSerde })
  .count({ name: 'count', store: 'counts' })
  .toStream({ name: 'changes' })
  .to('word-counts', { name: 'out', keySerde: stringSerde, valueSerde: int64Serde });
const topology = builder.build().build();

function lastCounts(partitions: readonly (readonly ReadRecord[])[]): Map<string, number> {
  const counts = partitions.flat().map(({ key, value }) => [key, Number(value!.readBigInt64BE())] as const);
  return new Map(counts);
}

export const wordCount: Scenario = {
  applicationId: 'word-count',
  topology: () => topology,
  topics: ['lines', 'word-counts'].map((name) => ({ name, partitions: 2, replicationFactor: 1, configs: {} })),
  begin: (run) => ({
    feed: async () => {
      for (let line = 0; line < 20; line++) {
        await run.clock.sleep(run.faultsMs / 20);
        const words = Array.from({ length: 3 }, () => 'abcde'[pick(run.random, 0, 4)]!);
        const value = Buffer.from(words.join(' '));
        while ((await run.send('lines', line % 2, { key: null, value })) !== 'acknowledged') {}
      }
    },
    check: async (outcome) => {
      const wanted = new Map<string, number>();
      for (const { value } of (await outcome.records('lines')).flat()) {
        for (const word of value!.toString().split(' ')) wanted.set(word, (wanted.get(word) ?? 0) + 1);
      }
      const found = lastCounts(await outcome.records('word-counts'));
      const words = new Set([...wanted.keys(), ...found.keys()]);
      return [...words]
        .filter((word) => wanted.get(word) !== found.get(word))
        .map((word) => word + ' is counted ' + found.get(word) + ' times instead of ' + wanted.get(word));
    },
  }),
};

if (process.argv[1] === import.meta.filename) {
  const { passed, failed } = await runSeeds({ module: import.meta.url, export: 'wordCount' }, { seeds: 10 });
  const once = await simulate(wordCount, { seed: 1 });
  const again = await simulate(wordCount, { seed: 1 });
  const isOneRun = once.traceHash === again.traceHash;
  console.log(JSON.stringify({ passed, failed: failed.length, isOneRun }));
}
`;

beforeAll(() => {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz'))!;
  mkdirSync(project);
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "empty", "private": true, "type": "module" }',
  );
  const install = [
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    join(scratch, tarball),
  ];
  execFileSync('npm', install, { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
}, 300_000);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the published package', () => {
  test('ships JavaScript and types, and no TypeScript source', () => {
    const files = readdirSync(join(project, 'node_modules', 'millrace'), { recursive: true }).map(
      String,
    );
    expect(files).toContain('dist/index.js');
    expect(files).toContain('dist/index.d.ts');
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
  });

  test('a word count type-checks against it and runs', () => {
    const printed = compiledAndRun('word-count', WORD_COUNT);
    expect(JSON.parse(printed)).toEqual({ to: 2, be: 2, or: 1, not: 1 });
  }, 120_000);

  test("the word count keeps its promise in the simulation, where nothing is the outsider's but the topology", () => {
    expect(JSON.parse(compiledAndRun('simulated', SIMULATED_WORD_COUNT))).toEqual({
      passed: 10,
      failed: 0,
      isOneRun: true,
    });
  }, 120_000);

  test('npx millrace start starts the sale', async () => {
    const [httpPort, registryPort, kafkaPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const env = {
      ...process.env,
      HTTP_PORT: String(httpPort),
      EMBEDDED_REGISTRY_PORT: String(registryPort),
      EMBEDDED_LISTEN: `127.0.0.1:${kafkaPort}`,
    };
    const sale = spawn(process.execPath, ['node_modules/millrace/dist/cli/main.js', 'start'], {
      cwd: project,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const inventory = await untilAnswered(
        sale,
        `http://127.0.0.1:${httpPort}/v1/events/summer-night/zones/vip/inventory`,
      );
      expect(inventory).toMatchObject({ capacity: 400, available: 400, sold: 0 });
    } finally {
      const ended = new Promise((resolveEnd) => sale.once('exit', resolveEnd));
      sale.kill('SIGTERM');
      await ended;
    }
  }, 120_000);
});

/** What the program prints, as a project of its own type-checks it and Node runs it. */
function compiledAndRun(name: string, program: string): string {
  writeFileSync(join(project, `${name}.ts`), program);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    lib: ['esnext'],
    strict: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: [`${name}.ts`] }),
  );
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' });
  return execFileSync(process.execPath, [`${name}.js`], { cwd: project, encoding: 'utf8' });
}

async function untilAnswered(sale: ChildProcess, url: string): Promise<unknown> {
  for (;;) {
    if (sale.exitCode !== null) throw new Error(`the sale ended with ${sale.exitCode}`);
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    if (answer?.ok === true) return answer.json();
    await answer?.arrayBuffer();
    await new Promise((resolveLater) => setTimeout(resolveLater, 50));
  }
}
