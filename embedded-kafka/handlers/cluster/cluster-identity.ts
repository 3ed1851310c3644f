/** Who is in this cluster: one node, at whatever address the client reached it. */
import type { ConnectionContext } from '../../ports.ts';

export const NODE_ID = 1;

export interface ClusterIdentity {
  readonly clusterId: string;
}

/** The one broker, as this client can reach it. */
export function brokerSeenBy({ localHost, localPort }: ConnectionContext) {
  return { nodeId: NODE_ID, host: localHost, port: localPort };
}

/** What a request gets that asks what it may do: everything that Kafka has for the resource. */
export const ALL_TOPIC_OPERATIONS: number = operations(3, 4, 5, 6, 7, 8, 10, 11);
export const ALL_GROUP_OPERATIONS: number = operations(3, 6, 8, 10, 11);
export const ALL_CLUSTER_OPERATIONS: number = operations(5, 7, 8, 9, 10, 11, 12);

/** A bit per AclOperation. */
function operations(...codes: number[]): number {
  return codes.reduce((bits, code) => bits | (1 << code), 0);
}

/** "Not asked for". */
export const NO_OPERATIONS = -2_147_483_648;
