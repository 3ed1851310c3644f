/**
 * What a committed offset carries beside it: the partition time, so that a new owner's clock does not
 * go back, and the ids of the topics that the offset and the state belong to. A topic that was deleted
 * and created anew under its name has other records: neither the offset nor the state means it.
 *
 *   millrace:1:<stream time> <topic>=<id> <topic>=<id> …
 */
const PREFIX = 'millrace:1:';
/** Brokers take 4,096 bytes by default. Ids that do not fit are left out: they are not checked then. */
const LENGTH_MAX = 4_000;
/** Before Metadata v10 topics have no ids. */
const NO_ID = /^0*$/;

export type TopicIds = ReadonlyMap<string, string>;

export function encodeOffsetMetadata(streamTimeMs: number, topicIds: string): string {
  return `${PREFIX}${streamTimeMs}${topicIds}`;
}

/** The part that stays the same for a task. */
export function encodeTopicIds(topicIds: TopicIds): string {
  const room = LENGTH_MAX - PREFIX.length - String(Number.MAX_SAFE_INTEGER).length;
  let text = '';
  for (const [topic, id] of topicIds) {
    const entry = ` ${topic}=${id}`;
    if (!NO_ID.test(id) && text.length + entry.length <= room) text += entry;
  }
  return text;
}

/** -1 when there is none, or somebody else wrote it. */
export function streamTimeOf(metadata: string): number {
  if (!metadata.startsWith(PREFIX)) return -1;
  const streamTimeMs = Number(metadata.slice(PREFIX.length).split(' ')[0]);
  return Number.isSafeInteger(streamTimeMs) ? streamTimeMs : -1;
}

/** Empty when there are none, or somebody else wrote it. */
export function topicIdsOf(metadata: string): TopicIds {
  if (!metadata.startsWith(PREFIX)) return new Map();
  const entries = metadata.split(' ').slice(1);
  return new Map(entries.map((entry) => entry.split('=') as [string, string]));
}
