/** What the group coordinator's error codes mean to a member. Pure. */
import { MillraceError } from '../../base/errors.ts';
import { Errors, errorName } from '../protocol/error-codes.ts';

export type MemberVerdict =
  | 'ok'
  /** The same request again, after a pause. */
  | 'retry'
  /** The coordinator has moved or is not ready: look for it, then again. */
  | 'find-coordinator'
  /** The group is rebalancing: join again, with what is owned. */
  | 'rejoin'
  /** The coordinator has given us an id: join again with it (KIP-394). */
  | 'member-id-given'
  /** Dropped from the group, or from its current generation: everything owned is lost. */
  | 'lost'
  /** As 'lost', and the id is no longer known. */
  | 'lost-with-id'
  /** Another process has our group.instance.id. */
  | 'instance-fenced'
  | 'fatal';

const VERDICTS: Readonly<Partial<Record<number, MemberVerdict>>> = {
  [Errors.NONE]: 'ok',
  [Errors.COORDINATOR_LOAD_IN_PROGRESS]: 'find-coordinator',
  [Errors.COORDINATOR_NOT_AVAILABLE]: 'find-coordinator',
  [Errors.NOT_COORDINATOR]: 'find-coordinator',
  [Errors.REBALANCE_IN_PROGRESS]: 'rejoin',
  [Errors.MEMBER_ID_REQUIRED]: 'member-id-given',
  [Errors.ILLEGAL_GENERATION]: 'lost',
  [Errors.UNKNOWN_MEMBER_ID]: 'lost-with-id',
  [Errors.FENCED_INSTANCE_ID]: 'instance-fenced',
  [Errors.INCONSISTENT_GROUP_PROTOCOL]: 'fatal',
  [Errors.INVALID_GROUP_ID]: 'fatal',
  [Errors.INVALID_SESSION_TIMEOUT]: 'fatal',
  [Errors.GROUP_AUTHORIZATION_FAILED]: 'fatal',
  [Errors.GROUP_MAX_SIZE_REACHED]: 'fatal',
  [Errors.UNSUPPORTED_VERSION]: 'fatal',
  [Errors.INVALID_REQUEST]: 'fatal',
};

export function verdictOf(code: number): MemberVerdict {
  return VERDICTS[code] ?? 'retry';
}

/** The error that a member stops with. */
export function memberError(api: string, code: number, groupId: string): MillraceError {
  const isFenced = code === Errors.FENCED_INSTANCE_ID;
  const hint = HINTS[code];
  return new MillraceError(
    isFenced ? 'KAFKA_FENCED' : 'KAFKA_FATAL',
    `${api} of group ${groupId}: ${errorName(code)}`,
    { ...(hint === undefined ? {} : { hint }), facts: { groupId, api, kafkaError: code } },
  );
}

const HINTS: Readonly<Partial<Record<number, string>>> = {
  [Errors.FENCED_INSTANCE_ID]: 'Another process has joined with the same group.instance.id.',
  [Errors.INCONSISTENT_GROUP_PROTOCOL]:
    'The group is in use by consumers of another kind, or its members run different assignors.',
  [Errors.INVALID_SESSION_TIMEOUT]:
    "The session timeout is outside the broker's group.min.session.timeout.ms .. group.max.session.timeout.ms.",
  [Errors.GROUP_AUTHORIZATION_FAILED]: 'The principal needs Read on the group.',
  [Errors.GROUP_MAX_SIZE_REACHED]: "The group is full (the broker's group.max.size).",
};
