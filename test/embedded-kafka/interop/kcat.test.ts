import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kcat, whyNoKcat } from '../../kit/kcat.ts';
import { BrokerChild } from './broker-child.ts';

const missing = whyNoKcat();
if (missing !== undefined) console.warn(`SKIPPED kcat against the embedded broker: ${missing}`);

const LINES = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
const INPUT = `${LINES.join('\n')}\n`;
const linesOf = (output: string) => output.split('\n').filter((line) => line !== '');

describe.skipIf(missing !== undefined)('kcat', () => {
  let broker: BrokerChild;
  const run = (args: readonly string[], input?: string) => kcat(broker.address, args, input);

  beforeAll(async () => {
    broker = await BrokerChild.start({ 'auto.create.topics.enable': 'true' });
  });
  afterAll(() => broker.remove());

  test('lists the one broker and its topics', async () => {
    const listed = await run(['-L']);
    expect(listed).toContain(`broker 1 at ${broker.address}`);
    expect(listed).toContain('"__consumer_offsets"');
  });

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`reads in order what it wrote, ${codec} compressed`, async () => {
      const topic = `codec-${codec}`;
      const idempotence = ['-X', 'enable.idempotence=true'];
      await run(['-P', '-t', topic, '-z', codec, ...idempotence], INPUT);
      expect(linesOf(await run(['-C', '-t', topic, '-e', '-q']))).toEqual(LINES);
    });
  }

  test('reads as a group, and goes on where it was', async () => {
    await run(['-P', '-t', 'grouped'], INPUT);
    const read = ['-G', 'kcats', 'grouped', '-e', '-q', '-X', 'auto.offset.reset=earliest'];
    expect(linesOf(await run(read))).toEqual(LINES);
    await run(['-P', '-t', 'grouped'], 'more\n');
    expect(linesOf(await run(read))).toEqual(['more']);
  }, 60_000);

  test('asks for offsets by time', async () => {
    await run(['-P', '-t', 'timed'], INPUT);
    const at = async (time: number) => {
      const found = /offset (-?\d+)/.exec(await run(['-Q', '-t', `timed:0:${time}`]));
      return Number(found?.[1]);
    };
    const [latest, earliest] = [-1, -2];
    expect(await at(latest)).toBe(LINES.length);
    expect(await at(earliest)).toBe(0);
    expect(await at(1)).toBe(0);
  });

  test('commits a transaction', async () => {
    const args = ['-P', '-t', 'transacted', '-X', 'transactional.id=kcat'];
    await run(args, INPUT);
    const read = ['-C', '-t', 'transacted', '-e', '-q', '-X', 'isolation.level=read_committed'];
    expect(linesOf(await run(read))).toEqual(LINES);
  });
});
