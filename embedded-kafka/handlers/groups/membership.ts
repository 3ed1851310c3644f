/** The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { heartbeatApi } from '../../../kafka/protocol/messages/heartbeat.ts';
import { joinGroupApi } from '../../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../../kafka/protocol/messages/leave-group.ts';
import { syncGroupApi } from '../../../kafka/protocol/messages/sync-group.ts';
import type { GroupCoordinator } from '../../coordinators/group/group-coordinator.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

export function groupMembershipHandlers(groups: GroupCoordinator): AnyHandler[] {
  return [joinGroup(groups), syncGroup(groups), heartbeat(groups), leaveGroup(groups)];
}

function joinGroup(groups: GroupCoordinator): AnyHandler {
  return defineHandler(joinGroupApi, async (request, { version, clientId, connection }) => {
    const answer = await groups.join(request.groupId, {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: clientId ?? '',
      clientHost: `/${connection.clientHost}`,
      sessionTimeoutMs: request.sessionTimeoutMs,
      // Version 0 has one timeout for both.
      rebalanceTimeoutMs: version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType: request.protocolType,
      // Copies: the group keeps them, and must not keep the whole frame.
      protocols: request.protocols.map(({ name, metadata }) => ({
        name,
        metadata: Buffer.from(metadata),
      })),
      requiresKnownMemberId: version >= 4,
      knowsSkipAssignment: version >= 9,
    });
    const { error: errorCode, ...rest } = answer;
    return {
      errorCode,
      ...rest,
      // Null exists from version 7 on.
      protocolName: answer.protocolName ?? (version >= 7 ? null : ''),
    };
  });
}

function syncGroup(groups: GroupCoordinator): AnyHandler {
  return defineHandler(syncGroupApi, async (request) => {
    const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
    const assignments = new Map(
      request.assignments.map((each) => [each.memberId, Buffer.from(each.assignment)]),
    );
    const answer = await groups.sync(request.groupId, {
      memberId,
      groupInstanceId,
      generationId,
      protocolType,
      protocolName,
      assignments,
    });
    const { error: errorCode, ...rest } = answer;
    return { errorCode, ...rest };
  });
}

function heartbeat(groups: GroupCoordinator): AnyHandler {
  return defineHandler(heartbeatApi, (request) => ({
    errorCode: groups.heartbeat(request.groupId, request),
  }));
}

function leaveGroup(groups: GroupCoordinator): AnyHandler {
  return defineHandler(leaveGroupApi, (request, { version }) => {
    const { groupId } = request;
    if (version < 3) {
      const [errorCode = Errors.NONE] = groups.leave(groupId, [
        { memberId: request.memberId, groupInstanceId: null },
      ]);
      return { errorCode };
    }
    const errors = groups.leave(groupId, request.members);
    return {
      errorCode: Errors.NONE,
      members: request.members.map(({ memberId, groupInstanceId }, index) => ({
        memberId,
        groupInstanceId,
        errorCode: errors[index] ?? Errors.UNKNOWN_MEMBER_ID,
      })),
    };
  });
}
