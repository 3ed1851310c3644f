/** Positions of state as text: what `Store-Position` says and `minPosition` takes. Pure. */
import Type from 'typebox';

/** By `<topic>-<partition>`: next input offset that the state contains. */
export type Position = ReadonlyMap<string, number>;

/** Answer with nothing older than this. */
const minPositionSchema = Type.String({
  pattern:
    '^[A-Za-z0-9._-]{1,249}-\\d{1,5}:\\d{1,15}(,[A-Za-z0-9._-]{1,249}-\\d{1,5}:\\d{1,15}){0,63}$',
  maxLength: 4_096,
  description: '`<topic>-<partition>:<offset>`, several separated by commas',
});

/** Query parameters of reads. */
export const readQuery = {
  minPosition: minPositionSchema,
  consistency: Type.Enum(['strong', 'any'], {
    description: '`any` allows a standby to answer, when the owner is elsewhere; default `strong`',
  }),
  maxLag: Type.String({
    pattern: '^\\d{1,12}$',
    description: 'how many records behind a standby may be, with `consistency=any`',
  }),
};

/** How many records behind an answer may be: 0 = only the owner may answer. */
export function lagAllowed(query: Readonly<Record<string, string>>): number {
  if (query['consistency'] !== 'any') return 0;
  return query['maxLag'] === undefined ? Number.POSITIVE_INFINITY : Number(query['maxLag']);
}

/** Longer ones are left out: a header has its limits. */
const TEXT_CHARS_MAX = 4_096;

/** `topic-partition:offset` pairs, separated by commas; '' for none and for too many. */
export function formatPosition(position: Position): string {
  let text = '';
  for (const [partition, offset] of position) {
    text += text === '' ? `${partition}:${offset}` : `,${partition}:${offset}`;
  }
  return text.length <= TEXT_CHARS_MAX ? text : '';
}

/** Pairs that are none are passed over. */
export function parsePosition(text: string): Position {
  const position = new Map<string, number>();
  for (const pair of text.split(',')) {
    const cut = pair.lastIndexOf(':');
    const offset = Number(pair.slice(cut + 1));
    if (cut > 0 && Number.isSafeInteger(offset)) position.set(pair.slice(0, cut), offset);
  }
  return position;
}

/** Where a record stands that its writer wants to read: the position behind it. Undefined if unknown. */
export function positionAfter(
  topic: string,
  { partition, offset }: { readonly partition: number; readonly offset: number },
): string | undefined {
  return offset < 0 ? undefined : `${topic}-${partition}:${offset + 1}`;
}

/**
 * Whether the state of a partition contains what `wanted` names. A task reads partitions of its own
 * number only, so that the others say nothing here; and once it has a position, a topic that is not
 * in it is none that it reads.
 */
export function hasReached(position: Position, wanted: Position, partition: number): boolean {
  for (const [name, offset] of wanted) {
    if (!name.endsWith(`-${partition}`)) continue;
    const reached = position.get(name);
    if (reached === undefined ? position.size === 0 : reached < offset) return false;
  }
  return true;
}
