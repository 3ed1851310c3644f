/**
 * The proof of a sale, read back from the topics alone: what was asked (the command topic), what was
 * decided (the status topic), what was announced of the stock. Shares no reducer with the app.
 */
import { isMillraceError } from '../base/errors.ts';
import { UnknownSchemaError } from '../schemas/serde.ts';
import type { Purchase } from '../ticket-sales/domain/purchase.ts';
import { type InventoryUpdated, TOPICS } from '../ticket-sales/records.ts';
import { endOffsets, readTopic, type Sale, type SaleOnKafka } from './sale-client.ts';

export interface SaleProof {
  /** Distinct purchases found in the command topic. */
  readonly asked: number;
  readonly sold: number;
  readonly rejected: number;
  /** Tickets beyond a zone's capacity, after any record. */
  readonly oversold: number;
  /** Purchases of the command topic without an outcome. */
  readonly lost: number;
  /** Purchases with two outcomes that differ. */
  readonly doubled: number;
  /** Outcomes that nobody asked for. */
  readonly ghosts: number;
  /** Zones whose announced stock differs from the sum of the outcomes. */
  readonly zonesWrong: number;
  /** Tickets left although somebody was told that they were sold out. */
  readonly refusedWrongly: number;
  readonly problems: readonly string[];
}

/** An outcome's hash by purchase id; NONE until there is one. Millions of them: nothing else is kept. */
type Outcomes = Map<string, number>;
const NONE = -1;

export async function proveSale(client: SaleOnKafka, sale: Sale): Promise<SaleProof> {
  const outcomes = await askedPurchases(client, sale);
  const asked = outcomes.size;
  const problems: string[] = [];
  const soldByZone = new Map<string, number>();
  const refusals = new Refusals();
  const capacities = new Map(sale.zones.map(({ zoneId, capacity }) => [zoneId, capacity]));
  let [doubled, oversold, ghosts, rejected] = [0, 0, 0, 0];

  await readAll(
    client,
    TOPICS.purchaseStatus,
    client.serdes.purchase.decode.bind(client.serdes.purchase),
    (purchase: Purchase, place) => {
      if (purchase.eventId !== sale.eventId) return;
      const { purchaseId, zoneId } = purchase;
      const first = outcomes.get(purchaseId);
      const outcome = hashOf(JSON.stringify(purchase));
      if (first !== undefined && first !== NONE) {
        if (first !== outcome) {
          doubled++;
          problems.push(`${place}: ${purchaseId} has a second outcome`);
        }
        return;
      }
      outcomes.set(purchaseId, outcome);
      if (first === undefined) {
        ghosts++;
        problems.push(`${place}: nobody asked for ${purchaseId}`);
      }
      if (purchase.state === 'rejected') {
        rejected++;
        refusals.add(purchase);
      }
      if (purchase.state !== 'confirmed') return;
      const sold = (soldByZone.get(zoneId) ?? 0) + purchase.quantity;
      soldByZone.set(zoneId, sold);
      const over = sold - (capacities.get(zoneId) ?? 0);
      if (over > 0) {
        oversold = Math.max(oversold, over);
        problems.push(`${place}: zone ${zoneId} is oversold by ${over}`);
      }
    },
  );

  let lost = 0;
  for (const [purchaseId, outcome] of outcomes) {
    if (outcome === NONE && ++lost <= 5) problems.push(`${purchaseId} has no outcome`);
  }
  const zonesWrong = await zonesThatDiffer(client, sale, soldByZone, problems);
  const refusedWrongly = refusals.countWrong(
    (zoneId) => (capacities.get(zoneId) ?? 0) - (soldByZone.get(zoneId) ?? 0),
  );
  if (refusedWrongly > 0)
    problems.push(`${refusedWrongly} were told sold out although tickets were left`);
  return {
    asked,
    sold: [...soldByZone.values()].reduce((sum, count) => sum + count, 0),
    rejected,
    oversold,
    lost,
    doubled,
    ghosts,
    zonesWrong,
    refusedWrongly,
    problems: problems.slice(0, 20),
  };
}

/** How many were told that a zone is sold out, by zone and by the tickets that they wanted. */
class Refusals {
  readonly #counts = new Map<string, Map<number, number>>();

  add({ reason, zoneId, quantity }: Purchase): void {
    if (reason !== 'sold_out') return;
    const ofZone = this.#counts.get(zoneId) ?? new Map<number, number>();
    this.#counts.set(zoneId, ofZone.set(quantity, (ofZone.get(quantity) ?? 0) + 1));
  }

  /** Those that would have found enough in what is left in the end. */
  countWrong(left: (zoneId: string) => number): number {
    let wrong = 0;
    for (const [zoneId, ofZone] of this.#counts) {
      for (const [quantity, count] of ofZone) if (left(zoneId) >= quantity) wrong += count;
    }
    return wrong;
  }
}

function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return hash >>> 0;
}

export function isProven(proof: SaleProof): boolean {
  const faults =
    proof.oversold +
    proof.lost +
    proof.doubled +
    proof.ghosts +
    proof.zonesWrong +
    proof.refusedWrongly;
  return proof.asked > 0 && faults === 0;
}

async function askedPurchases(client: SaleOnKafka, sale: Sale): Promise<Outcomes> {
  const asked: Outcomes = new Map();
  await readAll(
    client,
    TOPICS.commands,
    (buffer, start, end) => commandIn(client, buffer, start, end),
    (command) => {
      if (command?.kind === 'purchase' && command.eventId === sale.eventId) {
        asked.set(command.purchaseId, NONE);
      }
    },
  );
  return asked;
}

/** undefined: nobody can read it, so nobody has asked for anything. */
function commandIn(client: SaleOnKafka, buffer: Buffer, start: number, end: number) {
  try {
    return client.serdes.command.decode(buffer, start, end);
  } catch (error) {
    const isUnreadable = error instanceof UnknownSchemaError;
    if (isUnreadable || isMillraceError(error, 'DESERIALIZATION')) return undefined;
    throw error;
  }
}

async function zonesThatDiffer(
  client: SaleOnKafka,
  sale: Sale,
  soldByZone: ReadonlyMap<string, number>,
  problems: string[],
): Promise<number> {
  const announced = new Map<string, InventoryUpdated>();
  let impossible = 0;
  await readAll(
    client,
    TOPICS.inventory,
    client.serdes.inventory.decode.bind(client.serdes.inventory),
    (stock, place) => {
      if (stock.eventId !== sale.eventId) return;
      const before = announced.get(stock.zoneId);
      const sound =
        stock.available >= 0 &&
        stock.available + stock.held + stock.sold === stock.capacity &&
        (before === undefined || before.version < stock.version);
      if (!sound) {
        impossible++;
        problems.push(`${place}: zone ${stock.zoneId} announces an impossible stock`);
      }
      announced.set(stock.zoneId, stock);
    },
  );
  const differing = sale.zones.filter(
    ({ zoneId }) => (announced.get(zoneId)?.sold ?? 0) !== (soldByZone.get(zoneId) ?? 0),
  );
  for (const { zoneId } of differing) {
    problems.push(
      `zone ${zoneId}: announced ${announced.get(zoneId)?.sold}, decided ${soldByZone.get(zoneId) ?? 0}`,
    );
  }
  return differing.length + impossible;
}

/** Every committed record up to the end as it is now. */
async function readAll<T>(
  client: SaleOnKafka,
  topic: string,
  decode: (bytes: Buffer, start: number, end: number) => T,
  visit: (value: T, place: string) => void,
): Promise<void> {
  const ends = await endOffsets(client.kafka, topic, 'read_committed');
  const reader = await readTopic(client.kafka, topic);
  const atEnd = () => [...ends].every(([key, end]) => (reader.positions.get(key) ?? 0) >= end);
  const complete = await reader.read(
    (record, partition) => {
      if (record.valueStart < 0) return;
      visit(
        decode(record.buffer, record.valueStart, record.valueEnd),
        `${topic}-${partition}@${record.offset}`,
      );
    },
    atEnd,
    30_000,
  );
  await reader.close();
  if (!complete) throw new Error(`the proof is not valid: ${topic} could not be read to its end`);
}
