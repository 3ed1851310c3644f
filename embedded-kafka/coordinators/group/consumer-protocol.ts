/** What consumers tell their group: the only part of a subscription that a broker ever looks into. */
import { Reader } from '../../../kafka/protocol/reader.ts';
import type { ClassicGroup } from './classic-group.ts';

/** Topics that any member of a consumer group subscribes to; a subscription we cannot read counts as none. */
export function subscribedTopics(group: ClassicGroup): Set<string> {
  const topics = new Set<string>();
  if (group.protocolType !== 'consumer') return topics;
  for (const member of group.members.values()) {
    for (const topic of readTopics(group.subscriptionOf(member))) topics.add(topic);
  }
  return topics;
}

/** The subscription begins in every version with an int16 version and an array of topic names. */
function readTopics(subscription: Buffer): string[] {
  const topics: string[] = [];
  try {
    const reader = new Reader(subscription, 2);
    const count = reader.int32();
    for (let index = 0; index < count; index++) topics.push(reader.utf8(reader.int16()));
    return topics;
  } catch {
    // Members may send what they like: other clients must not suffer from it.
    return [];
  }
}
