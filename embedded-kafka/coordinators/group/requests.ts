/** What is asked of the group coordinator, and its settings: messages without their versions. */
import type { TopicPartition } from '../../../kafka/ports.ts';
import type { TransactionStamp } from '../coordinator-log.ts';
import type { GroupProtocolMetadata } from './classic-group.ts';
import type { StoredOffset } from './group-log.ts';

/** How a request names its sender. */
export interface MemberIdentity {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface GroupConfig {
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly initialRebalanceDelayMs: number;
  readonly maxSize: number;
}

export interface GroupCoordinatorConfig extends GroupConfig {
  readonly offsetsRetentionMs: number;
  readonly offsetMetadataBytesMax: number;
}

export interface JoinRequest extends MemberIdentity {
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly GroupProtocolMetadata[];
  /** v4+: a new member is first given its id, so that a lost answer leaves no ghost behind. */
  readonly requiresKnownMemberId: boolean;
  /** v9+. */
  readonly knowsSkipAssignment: boolean;
}

export interface SyncRequest extends MemberIdentity {
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: ReadonlyMap<string, Buffer>;
}

export interface OffsetToStore extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string;
  readonly generationId: number;
  readonly offsets: readonly OffsetToStore[];
  /** The transaction whose marker makes them count. */
  readonly transaction?: TransactionStamp;
}

export type FetchedOffset =
  | { readonly kind: 'committed'; readonly stored: StoredOffset }
  | { readonly kind: 'none' }
  /** An open transaction may still move it. */
  | { readonly kind: 'unstable' };
