/** The app's topics as they are created: counts, cleanup, time. Existing topics are checked, never changed. */
import { MillraceError } from '../base/errors.ts';
import type { Admin, TopicSpec } from '../kafka/ports.ts';
import { TOPICS } from './records.ts';

/** Log time decides (invariant 7): the broker stamps commands when it appends them. */
const COMMANDS = { 'cleanup.policy': 'delete', 'message.timestamp.type': 'LogAppendTime' } as const;
const COMPACT = { 'cleanup.policy': 'compact' } as const;
const DEAD_LETTERS = { 'cleanup.policy': 'delete' } as const;

export function ticketTopics(partitions: number, replicationFactor: number): TopicSpec[] {
  const topic = (name: string, configs: Readonly<Record<string, string>>): TopicSpec => ({
    name,
    partitions,
    replicationFactor,
    configs,
  });
  return [
    topic(TOPICS.commands, COMMANDS),
    topic(TOPICS.events, COMPACT),
    topic(TOPICS.purchaseStatus, COMPACT),
    topic(TOPICS.inventory, COMPACT),
    topic(`${TOPICS.commands}.dlq`, DEAD_LETTERS),
  ];
}

/** Creates what is missing. Throws CONFIG_INVALID when a topic that exists cannot be used as it is. */
export async function ensureTopics(admin: Admin, topics: readonly TopicSpec[]): Promise<void> {
  const { existing } = await admin.createTopics(topics);
  if (!existing.includes(TOPICS.commands)) return;
  const configs = await admin.topicConfigs(TOPICS.commands);
  if (configs.get('message.timestamp.type') !== 'LogAppendTime') {
    throw new MillraceError(
      'CONFIG_INVALID',
      `the topic ${TOPICS.commands} does not use LogAppendTime`,
      {
        hint: `Set message.timestamp.type=LogAppendTime on it: the order of the log decides, so its time must be the broker's.`,
      },
    );
  }
}
