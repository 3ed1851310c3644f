/** The pictures of CPU profiles. */
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type CpuProfile, frameTree, threadOf } from '../../bench/profile/cpu-profile.ts';
import { flameGraph, roomsOf } from '../../bench/profile/flame-graph.ts';

const frame = (functionName: string, path = '') => ({
  functionName,
  url: path.startsWith('/') ? pathToFileURL(path).href : path,
});

const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 4] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('run', '/house/runtime/stream-thread.ts'), children: [5, 6] },
    { id: 4, callFrame: frame('(garbage collector)') },
    { id: 5, callFrame: frame('', '/house/stores/<layers>.ts') },
    { id: 6, callFrame: frame('encode', '/elsewhere/node_modules/@maker/avro/lib/types.js') },
  ],
  samples: [2, 3, 5, 5, 6, 4, 2],
  timeDeltas: [900, 100, 200, 100, 300, 300, 5_000],
};
const tree = frameTree(PROFILE, '/house');

describe('a CPU profile', () => {
  test('is a tree of who called whom, without what was spent waiting', () => {
    expect(tree).toMatchObject({ name: '(root)', selfUs: 0, totalUs: 1_000 });
    const [run, collector] = tree.children;
    expect(run).toMatchObject({ file: 'runtime/stream-thread.ts', selfUs: 100, totalUs: 700 });
    expect(collector).toMatchObject({ name: '(garbage collector)', totalUs: 300 });
    expect(run!.children).toMatchObject([
      { name: '(anonymous)', file: 'stores/<layers>.ts', totalUs: 300 },
      { name: 'encode', file: 'node_modules/@maker/avro/lib/types.js', totalUs: 300 },
    ]);
  });

  test('tells of which thread it is', () => {
    expect(threadOf(tree)).toBe('stream thread');
    expect(threadOf(tree.children[1]!)).toBe('main thread');
  });

  test('is divided among rooms, packages and the collector', () => {
    expect(roomsOf(tree).filter(({ selfUs }) => selfUs > 0)).toEqual([
      { room: 'stores/', selfUs: 300 },
      { room: '@maker/avro', selfUs: 300 },
      { room: '(garbage collector)', selfUs: 300 },
      { room: 'runtime/', selfUs: 100 },
    ]);
  });

  test('is drawn with each call as wide as it took, on top of its caller', () => {
    const svg = flameGraph('a <sale>', tree);
    const boxes = [
      ...svg.matchAll(/<title>(\S+)[^<]*<\/title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g),
    ];
    const [root, run, stores, encode] = boxes.map(([, , x, y, width]) => [x, y, width].map(Number));
    expect(root![2]).toBeCloseTo(1_199.5);
    expect(run![2]).toBeCloseTo(839.5);
    expect(run![1]).toBe(root![1]! - 16);
    expect(encode![0]! - stores![0]!).toBeCloseTo(360);
    expect(svg).toContain('a &lt;sale&gt;');
    expect(svg).not.toContain('<layers>');
  });
});
