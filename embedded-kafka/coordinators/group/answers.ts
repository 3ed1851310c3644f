/** What members are told after waiting for their group, and how a waiting one is told that it waited in vain. */
import type { ErrorCodeNumber } from '../../ports.ts';
import type { Member } from './classic-group.ts';

export const NOTHING: Buffer = Buffer.alloc(0);

export interface JoinAnswer {
  readonly error: ErrorCodeNumber;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly memberId: string;
  /** The leader is told who is there but keeps the assignment that the group has. */
  readonly skipAssignment: boolean;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

export interface SyncAnswer {
  readonly error: ErrorCodeNumber;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

export function failedJoin(memberId: string, error: ErrorCodeNumber): JoinAnswer {
  return {
    error,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}

export function failedSync(error: ErrorCodeNumber): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: NOTHING };
}

export function refuse(
  { memberId }: { readonly memberId: string },
  error: ErrorCodeNumber,
): Promise<JoinAnswer> {
  return Promise.resolve(failedJoin(memberId, error));
}

export function answerAll(member: Member, error: ErrorCodeNumber): void {
  const { awaitingJoin } = member;
  member.awaitingJoin = undefined;
  awaitingJoin?.(failedJoin(member.memberId, error));
  answerSync(member, error);
}

export function answerSync(member: Member, error: ErrorCodeNumber): void {
  const { awaitingSync } = member;
  member.awaitingSync = undefined;
  awaitingSync?.(failedSync(error));
}
