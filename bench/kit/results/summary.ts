/** Many rounds of the same case as medians with their spread, and ours beside the others. */
import { type Measure, OURS } from '../measure.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One contestant in one case. */
export interface Result {
  readonly by: string;
  readonly on: Measure['on'];
  readonly rounds: number;
  readonly figures: ReadonlyMap<string, Spread>;
  /** The worst of the rounds. */
  readonly foreignCpuPercent: number;
  /** Of all rounds; undefined = nothing to prove. */
  readonly isProven: boolean | undefined;
}

export interface Summary {
  readonly bench: Measure['bench'];
  readonly label: string;
  readonly results: readonly Result[];
}

/** In the order in which the cases and the contestants first came. */
export function summariesOf(measures: readonly Measure[]): Summary[] {
  return grouped(measures, ({ bench, label }) => `${bench} ${label}`).map((ofCase) => ({
    bench: ofCase[0]!.bench,
    label: ofCase[0]!.label,
    results: grouped(ofCase, ({ by, on }) => `${by} ${on}`).map(resultOf),
  }));
}

export function nameOf({ by, on }: Pick<Result, 'by' | 'on'>): string {
  return on === '-' ? by : `${by} (${on})`;
}

/** Ours divided by the rival's. `undefined` for what only one of them has. */
export function ratio(ours: Result, rival: Result, figure: string): number | undefined {
  const [a, b] = [ours.figures.get(figure)?.median, rival.figures.get(figure)?.median];
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

/** Each rival beside those of ours that ran where it did; one without a broker beside all of ours. */
export function pairsOf({ results }: Summary): { readonly ours: Result; readonly rival: Result }[] {
  const ours = results.filter(({ by }) => by === OURS);
  return results
    .filter(({ by }) => by !== OURS)
    .flatMap((rival) =>
      ours
        .filter(({ on }) => rival.on === '-' || on === rival.on)
        .map((each) => ({ ours: each, rival })),
    );
}

function resultOf(measures: readonly Measure[]): Result {
  const { by, on } = measures[0]!;
  const names = [...new Set(measures.flatMap(({ figures }) => Object.keys(figures)))];
  const proofs = measures.map(({ isProven }) => isProven);
  return {
    by,
    on,
    rounds: measures.length,
    figures: new Map(names.map((name) => [name, spreadOf(measures, name)])),
    foreignCpuPercent: Math.max(...measures.map(({ foreignCpuPercent }) => foreignCpuPercent)),
    isProven: proofs.includes(undefined) ? undefined : !proofs.includes(false),
  };
}

function spreadOf(measures: readonly Measure[], name: string): Spread {
  const values = measures
    .flatMap(({ figures }) => figures[name] ?? [])
    .sort((left, right) => left - right);
  return {
    median: (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2,
    min: values[0]!,
    max: values.at(-1)!,
  };
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
