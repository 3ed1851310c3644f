/**
 * Asks for purchases in open loop and notes, for each, how long after its intended time a
 * read_committed consumer had its outcome. Both clocks are this process's.
 */
import { TOPICS } from '../../../ticket-sales/records.ts';
import { endOffsets, readTopic, type Sale, type SaleOnKafka } from '../../sale-client.ts';
import { encodeAhead, sendOpenLoop } from './open-loop.ts';

const GIVE_UP_AFTER_MS = 180_000;
const BEGINS_IN_MS = 50;

export interface LoopPlan {
  readonly ratePerSecond: number;
  /** Number of its first purchase. */
  readonly from: number;
  readonly count: number;
}

export interface OutcomeClock {
  /** When purchase 0 is due; the others follow on an exact grid. On the clock of performance.now(). */
  readonly startMs: number;
  /** How many have their outcome. */
  readonly decided: number;
  /** Of the first outcomes, in the order in which they were seen: how late and when, in ms. */
  readonly latenciesMs: Float64Array;
  readonly seenAtMs: Float64Array;
  /** Resolves when all have theirs; rejects when none comes for three minutes. */
  readonly complete: Promise<void>;
}

/** Resolves when the first purchase is about to be due. */
export async function startOutcomeClock(
  client: SaleOnKafka,
  sale: Sale,
  { ratePerSecond, from, count }: LoopPlan,
): Promise<OutcomeClock> {
  const purchases = encodeAhead(client, sale, from, count);
  const ends = await endOffsets(client.kafka, TOPICS.purchaseStatus, 'read_committed');
  const reader = await readTopic(client.kafka, TOPICS.purchaseStatus, ends);
  const latenciesMs = new Float64Array(count);
  const seenAtMs = new Float64Array(count);
  const seen = new Uint8Array(count);
  let decided = 0;
  const startMs = performance.now() + BEGINS_IN_MS;
  const reading = reader.read(
    ({ buffer, valueStart, valueEnd }) => {
      const nowMs = performance.now();
      const { buyerId } = client.serdes.purchase.decode(buffer, valueStart, valueEnd);
      const index = Number(buyerId.slice('buyer-'.length)) - from;
      if (!(index >= 0 && index < count) || seen[index] !== 0) return;
      seen[index] = 1;
      seenAtMs[decided] = nowMs;
      latenciesMs[decided++] = nowMs - (startMs + (index * 1_000) / ratePerSecond);
    },
    () => decided >= count,
    GIVE_UP_AFTER_MS,
  );
  const complete = async () => {
    const sending = sendOpenLoop(client, purchases, ratePerSecond, startMs);
    const [isComplete] = await Promise.all([reading, sending]);
    await reader.close();
    if (!isComplete) throw new Error(`only ${decided} of ${count} purchases were decided`);
  };
  return {
    startMs,
    latenciesMs,
    seenAtMs,
    complete: complete(),
    get decided() {
      return decided;
    },
  };
}
