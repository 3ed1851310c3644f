/**
 * The fourteen points of the engine's work at which a process may end, as effects of a simulated process
 * tell them: a request before it is sent, when it is sent, when its answer is there; a store batch before
 * and after it is written; a state.
 */
export interface KillPoint {
  readonly what: string;
  readonly effect: string;
}

export const KILL_POINTS = {
  K1: { what: 'joined: the group has answered SyncGroup', effect: 'answered SyncGroup' },
  K2: { what: 'mid-restore: changelog records are there', effect: 'answered Fetch to restore' },
  K3: { what: 'restored: the first record is not fetched yet', effect: 'Fetch' },
  K4: { what: 'polled: records are there, none is processed', effect: 'answered Fetch' },
  K5: { what: 'processed: the commit begins', effect: 'Produce' },
  K6: { what: 'a Produce is out', effect: 'sent Produce' },
  K7: { what: 'everything is produced, the offsets are not sent', effect: 'TxnOffsetCommit' },
  K8: { what: 'the offsets are sent, EndTxn is not', effect: 'EndTxn' },
  K9: { what: 'EndTxn is sent, its answer is not there', effect: 'sent EndTxn' },
  K10: { what: 'EndTxn is answered, no store is written', effect: 'answered EndTxn' },
  K11: { what: 'a store batch is about to be written', effect: 'write' },
  K12: { what: 'a store batch is written, nobody is told', effect: 'written' },
  K13: { what: 'partitions are being given away', effect: 'REBALANCING' },
  K14: { what: 'in an orderly stop', effect: 'PENDING_SHUTDOWN' },
} as const satisfies Readonly<Record<string, KillPoint>>;

export type KillPointName = keyof typeof KILL_POINTS;
