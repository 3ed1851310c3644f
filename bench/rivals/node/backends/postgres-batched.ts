/**
 * Postgres by an expert: purchases that wait together are decided by one call of sell_many
 * (schema.sql), so that one commit, one fsync, pays for all of them. Two calls are out at most; a batch
 * leaves as soon as one of them is back. Every outcome is stored.
 */
import { Pool } from 'pg';
import type { Backend, PurchaseRequest } from './backend.ts';

const LANES = 2;

interface Waiting {
  readonly request: PurchaseRequest;
  readonly resolve: (isSold: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export function open(port: number): Backend {
  const pool = new Pool({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    max: LANES,
  });
  let freeLanes = LANES;
  let waiting: Waiting[] = [];

  const flush = async (): Promise<void> => {
    freeLanes--;
    const batch = waiting;
    waiting = [];
    const column = (name: keyof PurchaseRequest) => batch.map(({ request }) => request[name]);
    try {
      const { rows } = await pool.query<{ accepted: boolean[] }>({
        name: 'sell_many',
        text: 'SELECT sell_many($1, $2, $3, $4) AS accepted',
        values: [column('purchaseId'), column('zoneId'), column('buyerId'), column('quantity')],
      });
      const accepted = rows[0]!.accepted;
      for (const [index, { resolve }] of batch.entries()) resolve(accepted[index] === true);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    freeLanes++;
    if (waiting.length > 0) void flush();
  };
  const flushIfPossible = () => {
    if (freeLanes > 0 && waiting.length > 0) void flush();
  };
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ request, resolve, reject });
      if (freeLanes > 0 && waiting.length === 1) setImmediate(flushIfPossible);
    });
}
