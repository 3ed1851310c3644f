/** The app's topics as they are created: counts, cleanup, time. Existing topics are checked, never changed. */
import { MillraceError } from '../base/errors.ts';
import type { Admin, TopicSpec } from '../kafka/ports.ts';
import { TOPICS } from './records.ts';

/** Log time decides (invariant 7): the broker stamps commands and payments when it appends them. */
export const LOG_TIME = {
  'cleanup.policy': 'delete',
  'message.timestamp.type': 'LogAppendTime',
} as const;
export const COMPACT = { 'cleanup.policy': 'compact' } as const;
export const DELETE = { 'cleanup.policy': 'delete' } as const;

export function ticketTopics(partitions: number, replicationFactor: number): TopicSpec[] {
  const topic = (name: string, configs: Readonly<Record<string, string>>): TopicSpec => ({
    name,
    partitions,
    replicationFactor,
    configs,
  });
  return [
    topic(TOPICS.commands, LOG_TIME),
    // Copartitioned with the commands: one task decides both, in one order.
    topic(TOPICS.payments, LOG_TIME),
    topic(TOPICS.events, COMPACT),
    topic(TOPICS.venues, COMPACT),
    topic(TOPICS.customers, COMPACT),
    topic(TOPICS.unknownVenues, COMPACT),
    topic(TOPICS.purchaseStatus, COMPACT),
    topic(TOPICS.inventory, COMPACT),
    topic(TOPICS.paymentRequests, DELETE),
    topic(TOPICS.refundRequests, DELETE),
    topic(TOPICS.notificationRequests, DELETE),
    topic(`${TOPICS.commands}.dlq`, DELETE),
    topic(`${TOPICS.payments}.dlq`, DELETE),
  ];
}

/** Creates what is missing. Throws CONFIG_INVALID when a topic that exists cannot be used as it is. */
export async function ensureTopics(admin: Admin, topics: readonly TopicSpec[]): Promise<void> {
  const { existing } = await admin.createTopics(topics);
  for (const { name, configs } of topics) {
    const isLogTime = configs['message.timestamp.type'] === 'LogAppendTime';
    if (isLogTime && existing.includes(name)) await mustHaveLogTime(admin, name);
  }
}

async function mustHaveLogTime(admin: Admin, topic: string): Promise<void> {
  const configs = await admin.topicConfigs(topic);
  if (configs.get('message.timestamp.type') === 'LogAppendTime') return;
  throw new MillraceError('CONFIG_INVALID', `the topic ${topic} does not use LogAppendTime`, {
    hint: `Set message.timestamp.type=LogAppendTime on it: the order of the log decides, so its time must be the broker's.`,
  });
}
