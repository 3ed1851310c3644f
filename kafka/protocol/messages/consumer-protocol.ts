/**
 * What consumers tell each other inside JoinGroup and SyncGroup (protocol type `consumer`): an int16
 * version, then the message, never flexible. The group coordinator only passes it on.
 */

import { array, bytes, type Infer, int32, string, struct, type Written } from '../schema.ts';
import { decodeVersioned, encodeVersioned } from '../versioned.ts';

const topicPartitions = array(struct({ topic: string, partitions: array(int32) }));

const subscription = struct({
  topics: array(string),
  userData: bytes.nullable().default(null),
  ownedPartitions: topicPartitions.versions('1+'),
  generationId: int32.versions('2+').default(-1),
  rackId: string.nullable('3+').versions('3+').default(null),
});

const assignment = struct({
  assignedPartitions: topicPartitions,
  userData: bytes.nullable().default(null),
});

export const CONSUMER_PROTOCOL_VERSION_MAX = 3;

export type ConsumerProtocolSubscription = Infer<typeof subscription>;
export type ConsumerProtocolAssignment = Infer<typeof assignment>;

/** A member's metadata in JoinGroup. */
export function encodeSubscription(value: Written<typeof subscription>, version: number): Buffer {
  return encodeVersioned(subscription, version, value);
}

/** A version newer than ours is read as ours: later ones may only add fields at the end. */
export function decodeSubscription(buffer: Buffer): ConsumerProtocolSubscription {
  return decodeVersioned(subscription, CONSUMER_PROTOCOL_VERSION_MAX, buffer);
}

/** A member's assignment in SyncGroup. */
export function encodeAssignment(value: Written<typeof assignment>, version: number): Buffer {
  return encodeVersioned(assignment, version, value);
}

/** A version newer than ours is read as ours: later ones may only add fields at the end. */
export function decodeAssignment(buffer: Buffer): ConsumerProtocolAssignment {
  return decodeVersioned(assignment, CONSUMER_PROTOCOL_VERSION_MAX, buffer);
}
