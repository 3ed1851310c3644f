/** The fourteen points of the engine's work at which a process is ended; failpoints.ts knows where. */
export const KILL_POINTS = {
  K1: 'joined: the group has answered SyncGroup',
  K2: 'mid-restore: a batch of changelog records is about to be written',
  K3: 'restored: the first record is not fetched yet',
  K4: 'polled: records are there, none is processed',
  K5: 'processed: the commit begins',
  K6: 'a Produce is out: outputs and changelogs of some partitions may be there',
  K7: 'everything is produced, the offsets are not sent',
  K8: 'the offsets are sent, EndTxn is not',
  K9: 'EndTxn is sent, its answer is not there',
  K10: 'EndTxn is answered, no store is written',
  K11: 'inside a store batch',
  K12: 'the stores are written, who waits over HTTP is not told',
  K13: 'partitions are being given away',
  K14: 'in an orderly stop, before the stores are closed',
} as const;

export type KillPoint = keyof typeof KILL_POINTS;
export type FailpointSignal = 'SIGKILL' | 'SIGSTOP';

export interface Failpoint {
  readonly name: KillPoint;
  /** The how manieth time; from 1. */
  readonly hit: number;
  readonly signal: FailpointSignal;
}

/** As the file that arms it has it. */
export function failpointText({ name, hit, signal }: Failpoint): string {
  return `${name}:${hit}:${signal}`;
}

/** Throws for what is none: a typing error must not pass as calm. */
export function parseFailpoint(text: string): Failpoint {
  const [name, hit, signal] = text.split(':');
  const isKnown = name !== undefined && Object.hasOwn(KILL_POINTS, name);
  const isSignal = signal === 'SIGKILL' || signal === 'SIGSTOP';
  if (!isKnown || !isSignal || !(Number(hit) >= 1)) throw new Error(`no failpoint: ${text}`);
  return { name: name as KillPoint, hit: Number(hit), signal };
}
