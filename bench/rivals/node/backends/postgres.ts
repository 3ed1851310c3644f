/**
 * Postgres, one statement and so one transaction per purchase: conditional UPDATE and the purchase
 * under its unique id. Rejections are not stored, as is usual. When two with the same id run at once
 * the second meets the primary key, is rolled back, and the row is read.
 */
import { Pool } from 'pg';
import type { Backend } from './backend.ts';

const POOL_SIZE = 10;
const UNIQUE_VIOLATION = '23505';
const SELL = `
WITH earlier AS (SELECT accepted FROM purchases WHERE id = $1),
  sold AS (UPDATE zones SET sold = sold + $4
           WHERE id = $2 AND sold + $4 <= capacity AND NOT EXISTS (SELECT FROM earlier) RETURNING id),
  kept AS (INSERT INTO purchases (id, zone, buyer, quantity, accepted)
           SELECT $1, $2, $3, $4, true WHERE EXISTS (SELECT FROM sold) RETURNING accepted)
SELECT COALESCE((SELECT accepted FROM earlier), (SELECT accepted FROM kept), false) AS accepted`;

export function open(port: number): Backend {
  const pool = new Pool({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    max: POOL_SIZE,
  });
  return async ({ purchaseId, zoneId, buyerId, quantity }) => {
    try {
      const values = [purchaseId, zoneId, buyerId, quantity];
      const { rows } = await pool.query<{ accepted: boolean }>({
        name: 'sell',
        text: SELL,
        values,
      });
      return rows[0]?.accepted === true;
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      const text = 'SELECT accepted FROM purchases WHERE id = $1';
      const { rows } = await pool.query<{ accepted: boolean }>({
        name: 'earlier',
        text,
        values: [purchaseId],
      });
      return rows[0]?.accepted === true;
    }
  };
}
