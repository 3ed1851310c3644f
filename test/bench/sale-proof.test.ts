/** What the proof is worth: of each kind of wrong sale it says exactly that. On the topics of a broker, without an app. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embeddedPlatform } from '../../bench/kit/platform.ts';
import { type SaleTopics, withSaleTopics } from '../../bench/kit/sale-topics.ts';
import { purchaseNumber, type Sale } from '../../bench/sale-client.ts';
import { isProven, proveSale, type SaleProof } from '../../bench/sale-proof.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-proof-test-'));
const CAPACITY = 2;
let topics: SaleTopics;
let end = () => {};
let broker: Promise<void>;
let sales = 0;

beforeAll(async () => {
  await new Promise<void>((ready, failed) => {
    broker = embeddedPlatform(directory).withBroker((brokers) =>
      withSaleTopics(brokers, 1, (opened) => {
        topics = opened;
        ready();
        return new Promise((resolve) => {
          end = resolve;
        });
      }),
    );
    broker.catch(failed);
  });
});

afterAll(async () => {
  end();
  await broker;
  rmSync(directory, { recursive: true, force: true });
});

function newSale(): Sale {
  return { eventId: `event-${++sales}`, zones: [{ zoneId: 'zone-0', capacity: CAPACITY }] };
}

function send(topic: string, { eventId }: Sale, value: Buffer) {
  return topics.producer.send(topic, 0, { key: Buffer.from(zoneKey(eventId, 'zone-0')), value });
}

const ask = (sale: Sale, index: number) =>
  send(TOPICS.commands, sale, toBytes(topics.serdes.command, purchaseNumber(sale, index)));

function decide(sale: Sale, index: number, how: Partial<Purchase> = {}) {
  const { purchaseId, eventId, zoneId, buyerId, quantity } = purchaseNumber(sale, index);
  const at = { requestedAtMs: 1, decidedAtMs: 1, commandOffset: index };
  const asked = {
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    price: null,
    seats: [],
    checkout: null,
    ...at,
  };
  const value: Purchase = { ...asked, state: 'confirmed', reason: 'none', ...how };
  return send(TOPICS.purchaseStatus, sale, toBytes(topics.serdes.purchase, value));
}

const refuse = (sale: Sale, index: number) =>
  decide(sale, index, { state: 'rejected', reason: 'sold_out' });

function announce(sale: Sale, sold: number, version = sold) {
  const { eventId } = sale;
  const stock = { capacity: CAPACITY, available: CAPACITY - sold, held: 0, sold, version };
  const value = {
    eventId,
    zoneId: 'zone-0',
    ...stock,
    updatedAtMs: 1,
    commandOffset: 0,
    revenueMinor: 0,
    currency: null,
  };
  return send(TOPICS.inventory, sale, toBytes(topics.serdes.inventory, value));
}

/** Three ask, two are sold, one is refused; `more` makes it wrong. */
async function proofOf(
  more: (sale: Sale) => Promise<unknown> = async () => {},
): Promise<SaleProof> {
  const sale = newSale();
  for (const index of [0, 1, 2]) await ask(sale, index);
  await decide(sale, 0);
  await decide(sale, 1);
  await refuse(sale, 2);
  await announce(sale, 2);
  await more(sale);
  return proveSale(topics, sale);
}

describe('the proof of a sale', () => {
  test('holds for a sale that is right, an outcome that is said twice included', async () => {
    const proof = await proofOf((sale) => decide(sale, 0));
    expect(proof).toMatchObject({ asked: 3, sold: 2, rejected: 1, problems: [] });
    expect(isProven(proof)).toBe(true);
  });

  test.each<[keyof SaleProof, (sale: Sale) => Promise<unknown>]>([
    ['lost', (sale) => ask(sale, 3)],
    ['doubled', (sale) => decide(sale, 2)],
    ['ghosts', (sale) => refuse(sale, 3)],
    ['zonesWrong', (sale) => announce(sale, 1, 3)],
  ])('counts one as %s, and nothing else', async (fault, wrong) => {
    const proof = await proofOf(wrong);
    const faults = { oversold: 0, lost: 0, doubled: 0, ghosts: 0, zonesWrong: 0 };
    expect(proof).toMatchObject({ ...faults, refusedWrongly: 0, [fault]: 1 });
    expect(proof.problems).not.toEqual([]);
    expect(isProven(proof)).toBe(false);
  });

  test('tells by how many tickets a zone is oversold', async () => {
    const proof = await proofOf(async (sale) => {
      await ask(sale, 3);
      await decide(sale, 3);
    });
    expect(proof).toMatchObject({ oversold: 1, lost: 0, ghosts: 0 });
    expect(isProven(proof)).toBe(false);
  });

  test('finds those who were refused although tickets were left', async () => {
    const sale = newSale();
    await ask(sale, 0);
    await refuse(sale, 0);
    const proof = await proveSale(topics, sale);
    expect(proof).toMatchObject({ asked: 1, rejected: 1, refusedWrongly: 1 });
    expect(isProven(proof)).toBe(false);
  });

  test('does not hold when nothing was asked for', async () => {
    expect(isProven(await proveSale(topics, newSale()))).toBe(false);
  });
});
