/**
 * User data of the group protocol, as versioned JSON: what a member tells the leader, and what the
 * leader tells every member. Both come from the group, which others may write to: everything is
 * checked, and what cannot be read counts as absent.
 */
import type { HostInfo } from '../../interactive-queries/queryable-streams.ts';
import type { Agreed } from './agreement.ts';

const VERSION = 1;
const TASK_ID = /^\d{1,9}_\d{1,9}$/;
const HOST = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,253}[a-zA-Z0-9])?$|^\[[0-9a-fA-F:.]{2,45}\]$/;

export interface SubscriptionData {
  readonly processId: string;
  readonly endpoint: HostInfo | null;
  readonly active: readonly string[];
  readonly standby: readonly string[];
  /** Task id -> changelog records applied on this process's disk. */
  readonly onDisk: ReadonlyMap<string, number>;
  /** Its settings that all instances must have alike. */
  readonly agreed: Agreed;
}

export interface AssignmentData {
  /** Standby tasks of the member that reads it. */
  readonly standby: readonly string[];
  readonly hosts: readonly HostTasks[];
  /** The settings that the application runs with: whoever has others gets no tasks. */
  readonly agreed: Agreed;
}

/** One process of the application and what its threads run. */
export interface HostTasks {
  readonly processId: string;
  readonly endpoint: HostInfo | null;
  readonly active: readonly string[];
  readonly standby: readonly string[];
}

export function encodeSubscription(data: SubscriptionData): Buffer {
  return Buffer.from(
    JSON.stringify({ version: VERSION, ...data, onDisk: Object.fromEntries(data.onDisk) }),
  );
}

export function decodeSubscription(bytes: Buffer | null): SubscriptionData | undefined {
  const data = parse(bytes);
  if (data === undefined || !isText(data['processId'])) return undefined;
  const onDisk = isRecord(data['onDisk']) ? Object.entries(data['onDisk']) : [];
  return {
    processId: data['processId'],
    endpoint: hostInfo(data['endpoint']),
    active: taskIds(data['active']),
    standby: taskIds(data['standby']),
    onDisk: new Map(
      onDisk.filter(
        (entry): entry is [string, number] => TASK_ID.test(entry[0]) && isCount(entry[1]),
      ),
    ),
    agreed: agreedIn(data['agreed']),
  };
}

export function encodeAssignment(data: AssignmentData): Buffer {
  return Buffer.from(JSON.stringify({ version: VERSION, ...data }));
}

export function decodeAssignment(bytes: Buffer | null): AssignmentData | undefined {
  const data = parse(bytes);
  if (data === undefined || !Array.isArray(data['hosts'])) return undefined;
  const hosts = data['hosts'].filter(isRecord).filter((host) => isText(host['processId']));
  return {
    standby: taskIds(data['standby']),
    hosts: hosts.map((host) => ({
      processId: String(host['processId']),
      endpoint: hostInfo(host['endpoint']),
      active: taskIds(host['active']),
      standby: taskIds(host['standby']),
    })),
    agreed: agreedIn(data['agreed']),
  };
}

function parse(bytes: Buffer | null): Record<string, unknown> | undefined {
  if (bytes === null) return undefined;
  try {
    const data: unknown = JSON.parse(bytes.toString('utf8'));
    return isRecord(data) && data['version'] === VERSION ? data : undefined;
  } catch {
    return undefined;
  }
}

function hostInfo(value: unknown): HostInfo | null {
  if (!isRecord(value)) return null;
  const { host, port } = value;
  if (typeof host !== 'string' || !HOST.test(host)) return null;
  return Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536
    ? { host, port: Number(port) }
    : null;
}

function agreedIn(value: unknown): Agreed {
  const entries = isRecord(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => isText(entry[0]) && isValue(entry[1])),
  );
}

function taskIds(value: unknown): readonly string[] {
  return Array.isArray(value)
    ? value.filter((id) => typeof id === 'string' && TASK_ID.test(id))
    : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 200;
}

function isValue(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 500;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
