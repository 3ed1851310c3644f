/** Looking at groups and removing them: DescribeGroups, ListGroups, DeleteGroups, ConsumerGroupDescribe. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { consumerGroupDescribeApi } from '../../../kafka/protocol/messages/consumer-group-describe.ts';
import { deleteGroupsApi } from '../../../kafka/protocol/messages/delete-groups.ts';
import { describeGroupsApi } from '../../../kafka/protocol/messages/describe-groups.ts';
import { listGroupsApi } from '../../../kafka/protocol/messages/list-groups.ts';
import { NOTHING } from '../../coordinators/group/answers.ts';
import type { ClassicGroup } from '../../coordinators/group/classic-group.ts';
import type { GroupCoordinator } from '../../coordinators/group/group-coordinator.ts';
import { ALL_GROUP_OPERATIONS, NO_OPERATIONS } from '../cluster/cluster-identity.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

const CLASSIC = 'Classic';

export function groupAdminHandlers(groups: GroupCoordinator): AnyHandler[] {
  return [
    describeGroups(groups),
    listGroups(groups),
    deleteGroups(groups),
    consumerGroupDescribe(groups),
  ];
}

function describeGroups(groups: GroupCoordinator): AnyHandler {
  return defineHandler(describeGroupsApi, (request, { version }) => ({
    groups: request.groups.map((groupId) => {
      const group = groups.group(groupId);
      const authorizedOperations = request.includeAuthorizedOperations
        ? ALL_GROUP_OPERATIONS
        : NO_OPERATIONS;
      if (group !== undefined) return { ...describe(group), authorizedOperations };
      return { ...deadGroup(groupId, version), authorizedOperations };
    }),
  }));
}

function describe(group: ClassicGroup) {
  const isStable = group.state.kind === 'Stable';
  return {
    errorCode: Errors.NONE,
    groupId: group.groupId,
    groupState: group.state.kind,
    protocolType: group.protocolType,
    protocolData: isStable ? (group.protocolName ?? '') : '',
    // Subscriptions and assignments mean something only once the group has agreed on them.
    members: Array.from(group.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? group.subscriptionOf(member) : NOTHING,
      memberAssignment: isStable ? member.assignment : NOTHING,
    })),
  };
}

/** Before version 6 a group that is not there is described as dead, without an error. */
function deadGroup(groupId: string, version: number) {
  return {
    errorCode: version >= 6 ? Errors.GROUP_ID_NOT_FOUND : Errors.NONE,
    errorMessage: version >= 6 ? `Group ${groupId} not found.` : null,
    groupId,
    groupState: 'Dead',
    protocolType: '',
    protocolData: '',
    members: [],
  };
}

function listGroups(groups: GroupCoordinator): AnyHandler {
  return defineHandler(listGroupsApi, (request) => {
    const states = new Set(request.statesFilter.map((state) => state.toLowerCase()));
    const types = new Set(request.typesFilter.map((type) => type.toLowerCase()));
    const isWanted = (group: ClassicGroup) =>
      (states.size === 0 || states.has(group.state.kind.toLowerCase())) &&
      (types.size === 0 || types.has(CLASSIC.toLowerCase()));
    return {
      errorCode: Errors.NONE,
      groups: groups
        .groups()
        .filter(isWanted)
        .map((group) => ({
          groupId: group.groupId,
          protocolType: group.protocolType,
          groupState: group.state.kind,
          groupType: CLASSIC.toLowerCase(),
        })),
    };
  });
}

function deleteGroups(groups: GroupCoordinator): AnyHandler {
  return defineHandler(deleteGroupsApi, async (request) => ({
    results: await Promise.all(
      request.groupsNames.map(async (groupId) => ({
        groupId,
        errorCode: await groups.deleteGroup(groupId),
      })),
    ),
  }));
}

/** There are no groups of the new protocol here: admin clients then ask with DescribeGroups. */
function consumerGroupDescribe(groups: GroupCoordinator): AnyHandler {
  return defineHandler(consumerGroupDescribeApi, (request) => ({
    groups: request.groupIds.map((groupId) => ({
      errorCode: Errors.GROUP_ID_NOT_FOUND,
      errorMessage:
        groups.group(groupId) === undefined
          ? `Group ${groupId} not found.`
          : `Group ${groupId} is not a consumer group.`,
      groupId,
      groupState: '',
      groupEpoch: 0,
      assignmentEpoch: 0,
      assignorName: '',
      members: [],
    })),
  }));
}
