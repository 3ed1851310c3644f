/** One planted violation per invariant: each is reported, at its place, and nothing else is. */
import { describe, expect, test } from 'vitest';
import { RULES, type Rule } from '../../audit/findings.ts';
import type { JournalEntry } from '../../audit/journal.ts';
import { unreadParts } from '../../audit/records/unread-parts.ts';
import {
  type AuditingOptions,
  auditLog,
  type CraftedRecord,
  commandRecord,
  letterRecord,
  type MemoryLog,
  purchaseRecord,
  ruleOf,
  stockRecord,
  type TopicName,
  violations,
} from './crafted-log.ts';
import {
  buy,
  CUTS,
  idOf,
  type LogOptions,
  lastZone,
  logOf,
  outcome,
  PRODUCER,
  type SmallSale,
  smallSale,
  stockAt,
  ZONE_KEY,
} from './small-sale.ts';

interface Planted {
  readonly rule: Rule;
  readonly what: string;
  /** First place of the violation. */
  readonly place: string;
  readonly plant?: (sale: SmallSale) => void;
  readonly tamper?: (log: MemoryLog) => void;
  readonly options?: AuditingOptions;
  readonly log?: LogOptions;
}

const entry = (
  index: number,
  quantity: number,
  more: Partial<JournalEntry> = {},
): JournalEntry => ({
  purchaseId: idOf(index),
  answer: 'accepted',
  eventId: 'gala',
  zoneId: 'floor',
  buyerId: `buyer-${index}`,
  quantity,
  ...more,
});
const SOLD_OUT = { quantity: 2, state: 'rejected', reason: 'sold_out' };
const JOURNAL = [entry(1, 2), entry(2, 2), entry(3, 1, { answer: 'unknown' })];

const PLANTED: readonly Planted[] = [
  {
    rule: 'I1',
    what: 'more sold than there is',
    place: 'inventoryUpdated-0@4',
    plant: (sale) => {
      sale.stock[2] = stockRecord(stockAt(4, 4, 6, { available: -1 }));
    },
  },
  {
    rule: 'I3',
    what: 'a ticket that is neither available nor sold',
    place: 'inventoryUpdated-0@4',
    plant: (sale) => {
      sale.stock[2] = stockRecord(stockAt(4, 2, 6, { available: 0 }));
    },
  },
  {
    rule: 'I4',
    what: 'a purchase that is refunded before it was ever confirmed',
    place: 'purchaseStatusUpdated-0@0',
    plant: (sale) => {
      sale.status[0] = purchaseRecord(outcome(1, 1, { quantity: 2, state: 'refunded' }));
    },
  },
  {
    rule: 'I5',
    what: 'a rejected purchase that is confirmed later',
    place: 'purchaseStatusUpdated-0@6',
    plant: (sale) => {
      sale.status.push(purchaseRecord(outcome(2, 6, { quantity: 2 })));
    },
  },
  {
    rule: 'I6',
    what: 'a repeated command with another answer',
    place: 'purchaseStatusUpdated-0@2',
    plant: (sale) => {
      sale.status[2] = purchaseRecord(outcome(1, 3, SOLD_OUT));
    },
  },
  {
    rule: 'I7',
    what: 'a command without an outcome',
    place: 'ticketPurchase-0@2',
    plant: (sale) => {
      sale.status.splice(1, 1);
    },
  },
  {
    rule: 'I7',
    what: 'an outcome that is there twice',
    place: 'purchaseStatusUpdated-0@2',
    plant: (sale) => {
      sale.status.splice(2, 0, sale.status[1]!);
    },
  },
  {
    rule: 'I7',
    what: 'an outcome that nobody asked for',
    place: 'purchaseStatusUpdated-0@6',
    plant: (sale) => {
      sale.status.push(purchaseRecord(outcome(9, 6)));
    },
  },
  {
    rule: 'I7',
    what: 'a record that is no command and no dead letter',
    place: 'ticketPurchase-0@4',
    plant: (sale) => {
      sale.letters = [];
    },
  },
  {
    rule: 'I8',
    what: 'two outcomes that have changed places',
    place: 'purchaseStatusUpdated-0@1',
    plant: (sale) => {
      sale.status = [1, 0, 2, 3, 4].map((index) => sale.status[index]!);
      // A's repeat follows its first outcome in both orders.
      sale.commands.splice(3, 1);
      sale.status.splice(2, 1);
      shiftOffsets(sale);
    },
  },
  {
    rule: 'I8',
    what: 'a stock that goes back to an earlier version',
    place: 'inventoryUpdated-0@5',
    plant: (sale) => {
      sale.stock.push(stockRecord(stockAt(3, 3, 5)));
    },
  },
  {
    rule: 'I9',
    what: 'a purchase that is rejected although there are tickets',
    place: 'purchaseStatusUpdated-0@3',
    plant: (sale) => {
      sale.status[3] = purchaseRecord(outcome(3, 5, { state: 'rejected', reason: 'sold_out' }));
    },
  },
  {
    rule: 'I9',
    what: 'a stock that forgets a sale',
    place: 'inventoryUpdated-0@2',
    plant: (sale) => {
      sale.stock[1] = stockRecord(stockAt(3, 2, 5));
    },
  },
  {
    rule: 'I9',
    what: 'a last stock that is never announced',
    place: 'inventoryUpdated-0@2',
    plant: (sale) => {
      sale.stock.pop();
    },
  },
  {
    rule: 'I10',
    what: 'a purchase whose changelog has an older value',
    place: 'sale-purchases-changelog-0@2',
    plant: (sale) => {
      sale.purchases.pop();
    },
  },
  {
    rule: 'I10',
    what: 'a zone whose changelog has too few sold',
    place: 'sale-zones-changelog-0@4',
    plant: (sale) => {
      sale.zones[2] = lastZone({ sold: 1 });
    },
  },
  {
    rule: 'I10',
    what: 'a purchase that is missing in the changelog',
    place: 'sale-purchases-changelog-0@1',
    plant: (sale) => {
      sale.purchases.splice(2);
    },
  },
  {
    rule: 'I12',
    what: 'a transaction that is committed here and aborted there',
    place: 'sale-purchases-changelog-0@7',
    tamper: (log) => {
      const torn = { producerId: 8, producerEpoch: 0 };
      log.append('zones', [lastZone({ sold: 0 })], torn);
      log.append('purchases', [purchaseRecord(outcome(1, 1, { quantity: 2 }))], torn);
      log.end('zones', torn, 'abort');
      log.end('purchases', torn, 'commit');
    },
  },
  {
    rule: 'I12',
    what: 'a changelog whose transaction is committed while that of its outcomes is aborted, and done again',
    // The first of two equal ones could be the right one.
    place: 'sale-purchases-changelog-0@6',
    tamper: (log) => tear(log, 'purchases', 'status'),
    log: { transactions: 1 },
    plant: withoutTheLast,
  },
  {
    rule: 'I12',
    what: 'outcomes whose transaction is committed while that of their changelog is aborted',
    place: 'sale-purchases-changelog-0@0',
    plant: (sale) => {
      // The changelog catches up in the next transaction: at the end all is well.
      sale.purchases = sale.purchases.filter((_, index) => index !== 2);
    },
    log: { transactions: 1, cuts: { ...CUTS, purchases: [0, 0] } },
  },
  {
    rule: 'I12',
    what: 'a stock that leaves a transaction out, though its outcomes are committed',
    place: 'inventoryUpdated-0@2',
    plant: (sale) => {
      sale.stock.splice(1, 1);
      sale.zones.splice(1, 1);
    },
    log: { transactions: 1, cuts: { ...CUTS, stock: [1, 1], zones: [1, 1] } },
  },
  {
    rule: 'I13',
    what: 'an outcome of an aborted command',
    place: 'purchaseStatusUpdated-0@7',
    tamper: (log) => {
      const buyer = { producerId: 9, producerEpoch: 0 };
      log.append('commands', [buy(4)], buyer);
      log.end('commands', buyer, 'abort');
      log.append('status', [purchaseRecord(outcome(4, 7))], next(PRODUCER));
      log.end('status', next(PRODUCER), 'commit');
    },
  },
  {
    rule: 'I13',
    what: 'an aborted transaction that readers are shown',
    place: 'purchaseStatusUpdated-0@7',
    tamper: (log) => {
      log.append('status', [purchaseRecord(outcome(4, 7))], next(PRODUCER));
      log.end('status', next(PRODUCER), 'abort');
      log.hidden.set('status', []);
    },
  },
  {
    rule: 'I13',
    what: 'a committed transaction that readers are not shown',
    place: 'purchaseStatusUpdated-0@0',
    tamper: (log) => {
      log.hidden.set('status', [{ producerId: PRODUCER.producerId, firstOffset: 0 }]);
    },
  },
  {
    rule: 'I14',
    what: 'a fenced producer that goes on writing',
    place: 'sale-purchases-changelog-0@6',
    tamper: (log) => {
      const zombie = { ...PRODUCER, producerEpoch: PRODUCER.producerEpoch - 1 };
      log.append('purchases', [purchaseRecord(outcome(1, 1, { quantity: 2 }))], zombie);
      log.end('purchases', zombie, 'commit');
    },
  },
  {
    rule: 'I17',
    what: 'an accepted request that is not in the log',
    place: 'journal line 4',
    options: { journal: [...JOURNAL, entry(4, 1)] },
  },
  {
    rule: 'I18',
    what: 'a command that nobody asked for',
    place: 'ticketPurchase-0@5',
    options: { journal: JOURNAL.slice(0, 2) },
  },
  {
    rule: 'I18',
    what: 'a refused request that is in the log all the same',
    place: 'ticketPurchase-0@2',
    options: { journal: [JOURNAL[0]!, entry(2, 2, { answer: 'refused' }), JOURNAL[2]!] },
  },
  {
    rule: 'I19',
    what: 'a reader that is told an older version after a newer one',
    place: 'journal line 6',
    options: {
      journal: [
        ...JOURNAL,
        { reader: 'anna', key: 'gala/floor', version: 3 },
        { reader: 'ben', key: 'gala/floor', version: 1 },
        { reader: 'anna', key: 'gala/floor', version: 1 },
      ],
    },
  },
  {
    rule: 'I20',
    what: 'one idempotency key that made two purchases',
    place: 'journal line 2',
    options: {
      journal: [
        entry(1, 2, { idempotencyKey: 'k', buyerId: 'me' }),
        entry(2, 2, { idempotencyKey: 'k', buyerId: 'me' }),
        JOURNAL[2]!,
      ].map(({ quantity: _, ...rest }) => rest),
    },
  },
  {
    rule: 'I20',
    what: 'a purchase with another body than its first request',
    place: 'purchaseStatusUpdated-0@1',
    options: { journal: [JOURNAL[0]!, entry(2, 1), JOURNAL[2]!] },
  },
  {
    rule: 'I21',
    what: 'a dead letter with other bytes than its command',
    place: 'ticketPurchase.dlq-0@0',
    plant: (sale) => {
      sale.letters = [letterRecord({ key: null, value: Buffer.from('another') }, 4)];
    },
  },
  {
    rule: 'I21',
    what: 'two dead letters of one command',
    place: 'ticketPurchase.dlq-0@2',
    plant: (sale) => {
      sale.letters.push(sale.letters[0]!);
    },
  },
  {
    rule: 'I21',
    what: 'a dead letter that does not say where it is from',
    place: 'ticketPurchase.dlq-0@2',
    plant: (sale) => {
      sale.letters.push({ ...sale.letters[0]!, headers: [] });
    },
  },
  {
    rule: 'I22',
    what: 'a command with an outcome and a dead letter',
    place: 'ticketPurchase.dlq-0@2',
    plant: (sale) => {
      sale.letters.push(letterRecord(sale.commands[5]!, 5));
    },
  },
  {
    rule: 'I23',
    what: 'a committed offset that goes back',
    place: 'ticketPurchase-0@7',
    tamper: (log) => {
      log.committedLater = 3;
    },
  },
  {
    rule: 'I23',
    what: 'a committed offset beyond the end',
    place: 'ticketPurchase-0@70',
    tamper: (log) => {
      log.committedOffset = 70;
    },
  },
  {
    rule: 'I24',
    what: 'a ticket that costs something where tickets are free',
    place: 'purchaseStatusUpdated-0@1',
    plant: (sale) => {
      const price = { amountMinor: 1, currency: 'EUR' };
      sale.status[1] = purchaseRecord(outcome(2, 2, { ...SOLD_OUT, price }));
    },
  },
  {
    rule: 'I25',
    what: 'a command that is not consumed though there was time',
    place: 'ticketPurchase-0@7',
    tamper: (log) => {
      log.append('commands', [buy(4)]);
    },
    options: { isSettled: true },
  },
  {
    rule: 'I25',
    what: 'a transaction that stays open',
    place: 'purchaseStatusUpdated-0@6',
    tamper: (log) => {
      log.append('status', [purchaseRecord(outcome(4, 7))], next(PRODUCER));
      log.leaveOpen('status', 6);
    },
    options: { isSettled: true },
  },
  {
    rule: 'I26',
    what: 'an unknown request that was done twice under two ids',
    place: 'journal line 2',
    options: {
      journal: [
        entry(1, 2, { idempotencyKey: 'k', buyerId: 'me', answer: 'unknown' }),
        entry(3, 2, { idempotencyKey: 'k', buyerId: 'me' }),
        JOURNAL[1]!,
      ].map(({ quantity: _, ...rest }) => rest),
    },
  },
];

describe('a log with one planted violation', () => {
  test.each(PLANTED)('$rule: $what', async (planted) => {
    const { rule, place, plant, tamper, options } = planted;
    const sale = smallSale();
    plant?.(sale);
    const log = logOf(sale, planted.log);
    tamper?.(log);
    const report = await auditLog(log, options);
    expect(violations(report)).toEqual([`${rule} ${place}`]);
    expect(report.verdict).toBe('violated');
  });

  test('covers every rule; those that no log of this sale can break are named aloud', async () => {
    const { rules } = await auditLog(logOf(smallSale()), { journal: JOURNAL });
    const planted = new Set<string>(PLANTED.map(({ rule }) => rule));
    const missing = [...rules].filter(([rule]) => !planted.has(rule));
    for (const [rule, result] of missing) {
      console.log(`not planted: ${rule} ${RULES[rule]}: ${'why' in result ? result.why : ''}`);
    }
    expect(rules.size).toBe(Object.keys(RULES).length);
    // I0 makes an audit not valid, which is tried below.
    expect(missing.map(([rule, { kind }]) => `${rule} ${kind}`)).toEqual([
      'I0 held',
      'I2 not-applicable',
      'I11 not-checked',
      'I15 not-applicable',
      'I16 not-applicable',
      'I27 not-applicable',
    ]);
  });
});

describe('what this auditor cannot judge', () => {
  test('is not applicable only because the log was looked through', async () => {
    const report = await auditLog(logOf(smallSale()));
    expect(report.rules.get('I16')).toEqual({
      kind: 'not-applicable',
      why: 'no such records: a hold in none (looked at 6 outcomes and 3 stocks)',
    });
  });

  test('is said when a schema of the log has fields that are not read', async () => {
    const written = {
      type: 'record',
      name: 'Status',
      fields: [
        { name: 'seats', type: { type: 'array', items: 'string' } },
        { name: 'state', type: { type: 'enum', name: 'S', symbols: ['held', 'lent'] } },
        { name: 'what', type: ['null', { type: 'record', name: 'x.Gift', fields: [] }] },
      ],
    };
    const ours = {
      type: 'record',
      name: 'Status',
      fields: [{ name: 'state', type: { type: 'enum', name: 'S', symbols: ['held'] } }],
    };
    expect(unreadParts(written, ours)).toEqual([
      '.seats',
      '.state=lent',
      '.what',
      '.what|null',
      '.what|Gift',
    ]);
    expect(unreadParts(ours, written)).toEqual([]);
  });
});

describe('the same log without it', () => {
  test('raises nothing, and every rule it has a case of was really checked', async () => {
    const report = await auditLog(logOf(smallSale()), { journal: JOURNAL });
    expect(violations(report)).toEqual([]);
    expect(report.verdict).toBe('right');
    const held = [...report.rules].filter(([, { kind }]) => kind === 'held').map(([rule]) => rule);
    const expected = 'I0 I1 I3 I4 I5 I6 I7 I8 I9 I10 I12 I14 I17 I18 I20 I21 I22 I23 I25 I26'.split(
      ' ',
    );
    expect(held).toEqual(expected);
  });

  test('with the journal left out, its rules count as not checked', async () => {
    const report = await auditLog(logOf(smallSale()));
    expect(ruleOf(report, 'I17')).toBe('not-checked');
    expect(ruleOf(report, 'I2')).toBe('not-applicable');
  });

  test('aborted records and those of other producers in between are left out', async () => {
    const log = logOf(smallSale());
    const [one, other] = [next(PRODUCER), { producerId: 11, producerEpoch: 0 }];
    const at = log.append('status', [purchaseRecord(outcome(9, 6))], one);
    log.append('status', [purchaseRecord(outcome(8, 6))], other);
    log.end('status', one, 'abort');
    log.end('status', other, 'abort');
    log.hidden.set('status', [
      { producerId: one.producerId, firstOffset: at },
      { producerId: other.producerId, firstOffset: at + 1 },
    ]);
    const report = await auditLog(log);
    expect(violations(report)).toEqual([]);
    expect(ruleOf(report, 'I13')).toBe('held');
  });
});

describe('an audit is not valid', () => {
  const invalid: readonly [string, (log: MemoryLog) => unknown][] = [
    ['while the application’s group has members', (log) => Object.assign(log, { memberCount: 1 })],
    ['while a transaction is open', (log) => log.leaveOpen('stock', 0)],
    ['while a command is not consumed', (log) => Object.assign(log, { committedOffset: 6 })],
    ['when commands were consumed meanwhile', (log) => Object.assign(log, { committedLater: 8 })],
  ];

  test.each(invalid)('%s', async (_, tamper) => {
    const sale = smallSale();
    const log = logOf(sale);
    tamper(log);
    const report = await auditLog(log);
    expect(report.verdict).toBe('not-valid');
    expect(report.invalid).toHaveLength(1);
    expect(ruleOf(report, 'I0')).not.toBe('held');
  });

  test('when nothing was read', async () => {
    const empty = { commands: [], status: [], stock: [], letters: [], zones: [], purchases: [] };
    const report = await auditLog(logOf(empty));
    expect(report.invalid).toEqual(['no command was read', 'no outcome was read']);
  });

  test('when a topic is missing', async () => {
    const log = logOf(smallSale());
    const topics = await log.topics();
    log.topics = async () => new Map([...topics].filter(([name]) => name !== 'inventoryUpdated'));
    const report = await auditLog(log);
    expect(report.invalid).toEqual(['the topic inventoryUpdated does not exist']);
  });

  test('but the group may have members when nothing moves and it is allowed', async () => {
    const log = logOf(smallSale());
    log.memberCount = 1;
    expect((await auditLog(log, { allowMembers: true })).verdict).toBe('right');
  });
});

const next = ({ producerId, producerEpoch }: typeof PRODUCER) => ({
  producerId,
  producerEpoch: producerEpoch + 1,
});

/** After the fourth command was taken out: everything behind it is one offset earlier. */
function shiftOffsets(sale: SmallSale): void {
  const cancelled = outcome(3, 5, { state: 'cancelled' });
  sale.status.splice(2, 2, purchaseRecord(outcome(3, 4)), purchaseRecord(cancelled));
  sale.stock.splice(1, 2, stockRecord(stockAt(3, 3, 4)), stockRecord(stockAt(4, 2, 5)));
  sale.letters = [letterRecord(sale.commands[3]!, 3)];
  sale.zones = [1, 3].map((version) => lastZone({ version, sold: 3 }));
  sale.zones.push(lastZone({ commandOffset: 5 }));
  sale.purchases.splice(2, 2, purchaseRecord(outcome(3, 4)), purchaseRecord(cancelled));
}

/** C does not give the ticket back; that transaction is to be written by the test. */
function withoutTheLast(sale: SmallSale): void {
  sale.status.splice(4);
  sale.stock.splice(2);
  sale.zones.splice(2);
  sale.purchases.splice(3);
}

/** The last transaction of the sale: committed in one topic, aborted in another one, then done whole. */
function tear(log: MemoryLog, committed: TopicName, aborted: TopicName): void {
  const { status, stock, zones, purchases } = smallSale();
  const last = { status, stock, zones, purchases };
  const parts = Object.entries(last) as [keyof typeof last, CraftedRecord[]][];
  for (const [topic, records] of parts) {
    if (topic !== committed && topic !== aborted) continue;
    log.append(topic, records.slice(-1), PRODUCER);
    log.end(topic, PRODUCER, topic === committed ? 'commit' : 'abort');
  }
  for (const [topic, records] of parts) {
    log.append(topic, records.slice(-1), PRODUCER);
    log.end(topic, PRODUCER, 'commit');
  }
}

test('an operator’s command with its effect and a dead letter is reported as both', async () => {
  const sale = smallSale();
  sale.letters.push(letterRecord(sale.commands[0]!, 0));
  expect(violations(await auditLog(logOf(sale)))).toEqual(['I22 ticketPurchase.dlq-0@2']);
});

test('a command in the wrong partition’s key belongs with the dead letters', async () => {
  const sale = smallSale();
  const stray = commandRecord('another/key', 'OpenSale', { eventId: 'gala', zoneId: 'floor' });
  sale.commands.push(
    stray,
    commandRecord(ZONE_KEY, 'OpenSale', { eventId: 'gala', zoneId: 'floor' }),
  );
  sale.letters.push(letterRecord(stray, 7));
  expect(violations(await auditLog(logOf(sale)))).toEqual([]);
});
