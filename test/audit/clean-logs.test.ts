/**
 * Logs of sales that went right, made by the real topology: the auditor, with a fold of its own, must
 * not raise anything. Also tells how fast it reads (no assertion: a bench is not a test).
 */
import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { bytesSerde, stringSerde } from '../../schemas/serdes.ts';
import type { TicketCommand } from '../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import type { Zone } from '../../ticket-sales/domain/zone.ts';
import { TOPICS as APP_TOPICS, ticketSerdes } from '../../ticket-sales/records.ts';
import { STORES } from '../../ticket-sales/sale/sale-stores.ts';
import { sellTickets } from '../../ticket-sales/sale/sell-tickets.ts';
import { Topology } from '../../topology/topology.ts';
import {
  APPLICATION_ID,
  auditLog,
  type CraftedRecord,
  LOG_TIME,
  letterRecord,
  MemoryLog,
  purchaseRecord,
  registry,
  ruleOf,
  violations,
  zoneRecord,
} from './crafted-log.ts';
import { numbersFrom } from './random.ts';
import { buy, idOf, logOf, outcome, type SmallSale, smallSale, stockAt } from './small-sale.ts';

const serdes = ticketSerdes(registry);
await serdes.command.prepare?.(APP_TOPICS.commands, 'value');
const LOGS = 1_000;
const COMMANDS_MAX = 30;

function randomCommand(pick: (below: number) => number): TicketCommand {
  const address = { eventId: 'gala', zoneId: `zone-${pick(3)}` };
  const purchaseId = pick(40) === 0 ? 'no uuid' : idOf(pick(12));
  switch (pick(12)) {
    case 0:
    case 1: {
      const price = pick(2) === 0 ? null : { amountMinor: pick(5_000), currency: 'EUR' };
      return {
        kind: 'createZone',
        ...address,
        capacity: pick(9),
        quantityMax: pick(5),
        price,
        terms: null,
        blockedSeats: [],
      };
    }
    case 2:
      return { kind: 'changeCapacity', ...address, capacity: pick(9) };
    case 3:
      return { kind: pick(2) === 0 ? 'openSale' : 'closeSale', ...address };
    case 4:
    case 5:
      return { kind: 'cancel', ...address, purchaseId };
    case 6:
      if (pick(4) > 0) return { kind: 'cancel', ...address, purchaseId };
      return moreThanPlain(pick, address);
    default: {
      const buyerId = pick(40) === 0 ? 'not a name' : `buyer-${pick(3)}`;
      const quantity = pick(5);
      return {
        kind: 'purchase',
        ...address,
        purchaseId,
        buyerId,
        quantity,
        requestedAtMs: 0,
        options: pick(20) === 0 ? { ...CHOICE, voucher: VOUCHERS[pick(2)]! } : null,
      };
    }
  }
}

const CHOICE = { seats: [], placement: 'any', orderId: null, viaIntake: false } as const;
const VOUCHERS = ['known', 'unknown'];

/** From here on the zone is followed by its outcomes, with all that was sold before. */
function moreThanPlain(
  pick: (below: number) => number,
  address: { readonly eventId: string; readonly zoneId: string },
): TicketCommand {
  if (pick(3) === 0) return { kind: 'pauseSale', ...address };
  if (pick(2) === 0) {
    return { kind: 'setSaleWindow', ...address, opensAtMs: null, closesAtMs: LOG_TIME + pick(2) };
  }
  const terms = { percentOff: 50, amountOffMinor: 1, usesMax: 2 };
  return { kind: 'defineVoucher', ...address, code: 'known', ...terms };
}

function isMoreThanPlain(command: TicketCommand): boolean {
  if (command.kind === 'purchase') return command.options !== null;
  return command.kind === 'setSaleWindow' || command.kind === 'defineVoucher';
}

/** One sale through the real topology, its outputs in many transactions, some tried and aborted before. */
async function simulatedLog(seed: number): Promise<{ log: MemoryLog; isTurning: boolean }> {
  const pick = numbersFrom(seed);
  const topology = sellTickets(new Topology(), serdes, { commandPartitions: 1 });
  const driver = new TopologyTestDriver(topology, { applicationId: APPLICATION_ID });
  const commands = driver.createInputTopic(APP_TOPICS.commands, stringSerde, serdes.command);
  const outputs = {
    status: driver.createOutputTopic(APP_TOPICS.purchaseStatus, bytesSerde, bytesSerde),
    stock: driver.createOutputTopic(APP_TOPICS.inventory, bytesSerde, bytesSerde),
  };
  const log = new MemoryLog();
  const count = 1 + pick(COMMANDS_MAX);
  const sold = new Set<string>();
  let isTurning = false;
  for (let offset = 0; offset < count; offset++) {
    const command = randomCommand(pick);
    const key = `${command.eventId}/${command.zoneId}`;
    const original = { key: Buffer.from(key), value: encode(serdes.command, command) };
    log.append('commands', [original]);
    const isRefused = await commands.pipeInput(key, command, LOG_TIME).then(
      () => false,
      () => true,
    );
    const written = {
      status: outputs.status.readRecordsToList(),
      stock: outputs.stock.readRecordsToList(),
      letters: isRefused ? [letterRecord(original, offset)] : [],
      zones: changedBy(offset, driver, STORES.zones, key).map((zone) => zoneRecord(zone as Zone)),
      purchases:
        'purchaseId' in command
          ? changedBy(offset, driver, STORES.purchases, command.purchaseId).map((purchase) =>
              purchaseRecord(purchase as Purchase),
            )
          : [],
    };
    isTurning ||= isMoreThanPlain(command) && sold.has(key);
    if (written.status.length > 0) sold.add(key);
    writeTransactions(log, written, offset, pick(4) === 0);
  }
  log.committedOffset = count;
  await driver.close();
  return { log, isTurning };
}

/** The value of that key, if the command at that offset has changed it. */
function changedBy(offset: number, driver: TopologyTestDriver, store: string, key: string) {
  const value = driver.getKeyValueStore<string, Zone | Purchase>(store).get(key);
  return value?.commandOffset === offset ? [value] : [];
}

function encode(serde: ReturnType<typeof ticketSerdes>['command'], command: TicketCommand): Buffer {
  const target = Buffer.alloc(1_024);
  return target.subarray(0, serde.encode(command, target, 0));
}

function writeTransactions(
  log: MemoryLog,
  written: Readonly<Record<keyof Omit<SmallSale, 'commands'>, readonly CraftedRecord[]>>,
  offset: number,
  isTriedBefore: boolean,
): void {
  const topics = (['status', 'stock', 'letters', 'zones', 'purchases'] as const).filter(
    (topic) => written[topic].length > 0,
  );
  for (const kind of isTriedBefore ? (['abort', 'commit'] as const) : (['commit'] as const)) {
    const producer = {
      producerId: offset % 2,
      producerEpoch: 2 * offset + Number(kind === 'commit'),
    };
    for (const topic of topics) {
      const firstOffset = log.append(topic, written[topic], producer);
      const hidden = log.hidden.get(topic) ?? [];
      if (kind === 'abort') hidden.push({ producerId: producer.producerId, firstOffset });
      log.hidden.set(topic, hidden);
    }
    for (const topic of topics) log.end(topic, producer, kind);
  }
}

describe('the auditor', () => {
  test(`raises nothing on ${LOGS} sales that went right`, { timeout: 300_000 }, async () => {
    const found: string[] = [];
    const verdicts = new Map<string, number>();
    let [dead, turning] = [0, 0];
    for (let seed = 0; seed < LOGS; seed++) {
      const { log, isTurning } = await simulatedLog(seed);
      const report = await auditLog(log);
      if (isTurning) turning++;
      found.push(...violations(report).map((violation) => `seed ${seed}: ${violation}`));
      if (ruleOf(report, 'I21') === 'held') dead++;
      verdicts.set(report.verdict, (verdicts.get(report.verdict) ?? 0) + 1);
    }
    expect(found).toEqual([]);
    // Refusals alone make no outcome: such a log proves nothing, and must say so.
    expect(verdicts.get('right')).toBeGreaterThan(LOGS * 0.9);
    expect(verdicts.has('violated')).toBe(false);
    expect(dead).toBeGreaterThan(LOGS / 2);
    // Zones that had sold, and were followed by their outcomes from then on.
    expect(turning).toBeGreaterThan(LOGS / 5);
  });

  test('reads a long log, and tells how fast', async () => {
    const purchases = 50_000;
    const sale = longSale(purchases);
    const log = logOf(sale, { cuts: ONE_TRANSACTION });
    const [startedAtMs, cpu] = [performance.now(), process.cpuUsage()];
    const report = await auditLog(log);
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    console.log(
      `audited ${report.figures.records} records in ${seconds.toFixed(2)} s: ${Math.round(report.figures.records / seconds)}/s, ${((user + system) / 1e6).toFixed(2)} s of CPU`,
    );
    expect(violations(report)).toEqual([]);
    expect(report.figures.outcomes).toBe(purchases);
  });
});

const ALL = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;
const ONE_TRANSACTION = { status: ALL, stock: ALL, letters: ALL, zones: ALL, purchases: ALL };

/** Everybody wants four tickets of three: nothing is sold, and the stock stays. */
function longSale(purchases: number): SmallSale {
  const base = smallSale();
  const indexes = Array.from({ length: purchases }, (_, index) => index + 1);
  const rejected = { quantity: 4, state: 'rejected', reason: 'sold_out' };
  const outcomes = indexes.map((index) => purchaseRecord(outcome(index, index, rejected)));
  return {
    commands: [base.commands[0]!, ...indexes.map((index) => buy(index, 4))],
    status: outcomes,
    stock: [base.stock[0]!],
    letters: [],
    zones: [
      zoneRecord({
        ...stockAt(1, 0, 0),
        sale: 'open',
        quantityMax: 10,
        price: null,
        terms: null,
      }),
    ],
    purchases: outcomes,
  };
}
