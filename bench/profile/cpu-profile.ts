/** V8's CPU profiles (`node --cpu-prof`), as a tree of who called whom and how long. */
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As V8 writes it. Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Frame {
  readonly name: string;
  /** Of the project's files the path below its root; of others their own; '' = V8 itself. */
  readonly file: string;
  readonly selfUs: number;
  /** With everything that it called. */
  readonly totalUs: number;
  readonly children: readonly Frame[];
}

export function readProfile(path: string, root: string): Frame {
  return frameTree(JSON.parse(readFileSync(path, 'utf8')) as CpuProfile, root);
}

/** Without what was spent waiting. */
export function frameTree({ nodes, samples, timeDeltas }: CpuProfile, root: string): Frame {
  const selfUs = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[index] ?? 0));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const frame = (id: number): Frame => {
    const { callFrame, children = [] } = byId.get(id)!;
    const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName;
    const own = name === '(idle)' ? 0 : (selfUs.get(id) ?? 0);
    const called = children.map(frame).filter(({ totalUs }) => totalUs > 0);
    const totalUs = called.reduce((sum, each) => sum + each.totalUs, own);
    return { name, file: fileOf(callFrame.url, root), selfUs: own, totalUs, children: called };
  };
  return frame(nodes[0]!.id);
}

/** Which of our threads it is, by what only that one runs. */
export function threadOf(profile: Frame): 'stream thread' | 'broker' | 'main thread' {
  if (runs(profile, 'runtime/stream-thread.ts')) return 'stream thread';
  return runs(profile, 'embedded-kafka/broker.ts') ? 'broker' : 'main thread';
}

function runs(frame: Frame, file: string): boolean {
  return frame.file === file || frame.children.some((child) => runs(child, file));
}

function fileOf(url: string, root: string): string {
  if (!url.startsWith('file:')) return url;
  const path = fileURLToPath(url);
  if (path.startsWith(root + sep) && !path.includes(`${sep}node_modules${sep}`)) {
    return path.slice(root.length + 1);
  }
  return path.slice(Math.max(0, path.lastIndexOf(`node_modules${sep}`)));
}
