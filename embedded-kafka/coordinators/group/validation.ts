/** Who may speak for a group: member, instance and generation checks, each as one of Kafka's codes. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber } from '../../ports.ts';
import type { ClassicGroup, Member } from './classic-group.ts';
import type { MemberIdentity } from './requests.ts';

/** The member that the request speaks for, or why it may not. */
export function identify(
  group: ClassicGroup,
  { memberId, groupInstanceId }: MemberIdentity,
): Member | ErrorCodeNumber {
  if (groupInstanceId !== null) {
    const owner = group.staticMember(groupInstanceId);
    if (owner === undefined) return Errors.UNKNOWN_MEMBER_ID;
    if (owner.memberId !== memberId) return Errors.FENCED_INSTANCE_ID;
  }
  return group.members.get(memberId) ?? Errors.UNKNOWN_MEMBER_ID;
}

/** As identify(), and of this generation. */
export function identifyInGeneration(
  group: ClassicGroup,
  request: MemberIdentity & { readonly generationId: number },
): Member | ErrorCodeNumber {
  if (group.state.kind === 'Dead') return Errors.COORDINATOR_NOT_AVAILABLE;
  const member = identify(group, request);
  if (typeof member === 'number') return member;
  return request.generationId === group.generation ? member : Errors.ILLEGAL_GENERATION;
}

/** May these offsets be committed? NONE or Kafka's code; `member` when the commit counts as a heartbeat. */
export function validateOffsetCommit(
  group: ClassicGroup,
  request: MemberIdentity & { readonly generationId: number; readonly isTransactional: boolean },
): { readonly error: ErrorCodeNumber; readonly member?: Member } {
  if (group.state.kind === 'Dead') return { error: Errors.COORDINATOR_NOT_AVAILABLE };
  // An administrator, or a consumer that assigns its partitions itself.
  if (request.generationId < 0 && group.state.kind === 'Empty') return { error: Errors.NONE };
  const isAnonymous =
    request.generationId < 0 && request.memberId === '' && request.groupInstanceId === null;
  if (isAnonymous) {
    // Old transactional clients cannot say who they are; the epoch of their producer fences them.
    return { error: request.isTransactional ? Errors.NONE : Errors.UNKNOWN_MEMBER_ID };
  }
  const member = identifyInGeneration(group, request);
  if (typeof member === 'number') return { error: member };
  if (!request.isTransactional && group.state.kind === 'CompletingRebalance') {
    return { error: Errors.REBALANCE_IN_PROGRESS };
  }
  return { error: Errors.NONE, member };
}
