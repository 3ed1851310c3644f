/** In which order contestants are measured, and what becomes of runs that others disturbed. */
import { describe, expect, test } from 'vitest';
import { type Contestant, measureAll } from '../../bench/contest.ts';
import type { BenchCase, BenchContext, Measure } from '../../bench/kit/measure.ts';
import { parseCommand } from '../../bench/options.ts';
import { mapServer } from '../../bench/rivals/map-server.ts';

const OURS: Contestant = { by: 'millrace', rival: undefined, on: 'embedded' };
const RIVAL: Contestant = { by: 'node-http', rival: mapServer, on: 'embedded' };

function commandOf(...args: string[]) {
  return parseCommand(['query', '--out', '/nowhere', ...args], '')!;
}

/** Measures nothing; the noise of its runs is as given, the last one again and again. */
function caseOf(noises: readonly number[], seen: BenchContext[]): BenchCase {
  const { options } = commandOf();
  const measure = async (context: BenchContext): Promise<Measure[]> => {
    const foreignCpuPercent = noises[Math.min(seen.length, noises.length - 1)]!;
    seen.push(context);
    const { by, platform } = context;
    const figures = { run: seen.length };
    const rest = { label: 'a case', foreignCpuPercent, isProven: undefined };
    return [{ bench: 'query', by, on: platform.name, figures, ...rest }];
  };
  return { measure, options };
}

async function run(noises: readonly number[], contestants: readonly Contestant[], args: string[]) {
  const seen: BenchContext[] = [];
  const measures = await measureAll(
    [caseOf(noises, seen)],
    contestants,
    commandOf(...args),
    () => {},
  );
  return { seen, runs: measures.map(({ figures }) => figures['run']) };
}

describe('a comparison', () => {
  test('measures ours and the rival in turn, round by round', async () => {
    const { seen } = await run([0], [OURS, RIVAL], ['--rounds', '3']);
    expect(seen.map(({ by }) => by)).toEqual([
      'millrace',
      'node-http',
      'millrace',
      'node-http',
      'millrace',
      'node-http',
    ]);
  });

  test('gives every run a folder and an application id of its own', async () => {
    const { seen } = await run([0], [OURS], ['--rounds', '3']);
    expect(new Set(seen.map(({ application }) => application)).size).toBe(3);
    expect(new Set(seen.map(({ platform }) => platform.directory)).size).toBe(3);
  });

  test('repeats a run while others take too much of the machine', async () => {
    const { seen, runs } = await run([50, 30, 2], [OURS], ['--repeats', '5']);
    expect(seen).toHaveLength(3);
    expect(runs).toEqual([3]);
  });

  test('takes the quietest run when it may not repeat it any more', async () => {
    const { seen, runs } = await run([50, 30, 40], [OURS], ['--repeats', '2']);
    expect(seen).toHaveLength(3);
    expect(runs).toEqual([2]);
  });

  test('has three rounds against rivals and one alone, unless told otherwise', () => {
    expect(commandOf().rounds).toBe(1);
    expect(commandOf('--against', 'node-http').rounds).toBe(3);
    expect(commandOf('--against', 'node-http', '--rounds', '5').rounds).toBe(5);
  });
});
