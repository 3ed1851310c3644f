/**
 * The fourteen points of the engine's work at which a process is ended, or harmed in another way;
 * failpoints.ts knows where.
 */
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
/**
 * What happens there. STALL: the thread that has reached it does nothing for STALL_MS, the others go on.
 * HOARD: it fills the heap until something ends it.
 */
const DEEDS = ['SIGKILL', 'SIGSTOP', 'STALL', 'HOARD'] as const;
export type FailpointDeed = (typeof DEEDS)[number];

/** Longer than the session. */
export const STALL_MS = 10_000;

export interface Failpoint {
  readonly name: KillPoint;
  /** The how manieth time; from 1. */
  readonly hit: number;
  readonly deed: FailpointDeed;
}

/** As the file that arms it has it. */
export function failpointText({ name, hit, deed }: Failpoint): string {
  return `${name}:${hit}:${deed}`;
}

/** Throws for what is none: a typing error must not pass as calm. */
export function parseFailpoint(text: string): Failpoint {
  const [name, hit, word] = text.split(':');
  const isKnown = name !== undefined && Object.hasOwn(KILL_POINTS, name);
  const deed = DEEDS.find((one) => one === word);
  if (!isKnown || deed === undefined || !(Number(hit) >= 1)) {
    throw new Error(`no failpoint: ${text}`);
  }
  return { name: name as KillPoint, hit: Number(hit), deed };
}
