/**
 * Redis, one Lua script per purchase: dedupe, stock and outcome in one step. The answer leaves after
 * the append-only file is written (and synced, if Redis is told so).
 */
import { Redis } from 'ioredis';
import type { Backend } from './backend.ts';

/** KEYS: stock, purchase. ARGV: quantity. */
const SELL = `
local earlier = redis.call('GET', KEYS[2])
if earlier then return tonumber(earlier) end
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
local quantity = tonumber(ARGV[1])
local sold = 0
if left >= quantity then
  sold = 1
  redis.call('DECRBY', KEYS[1], quantity)
end
redis.call('SET', KEYS[2], sold, 'EX', 86400)
return sold`;

export function open(port: number): Backend {
  const redis = new Redis({ port, host: '127.0.0.1' });
  redis.defineCommand('sell', { numberOfKeys: 2, lua: SELL });
  const { sell } = redis as unknown as {
    sell(this: Redis, stock: string, purchase: string, quantity: number): Promise<number>;
  };
  return async ({ purchaseId, zoneId, quantity }) =>
    (await sell.call(redis, `zone:${zoneId}`, `purchase:${purchaseId}`, quantity)) === 1;
}
