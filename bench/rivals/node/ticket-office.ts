/**
 * What many would build instead of us: Koa before a database. POST /v1/purchases -> 201 or 409, the
 * Idempotency-Key being the purchase's id. Arguments: BACKEND HTTP_PORT DATABASE_PORT.
 */
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import Koa from 'koa';
import type { Backend, PurchaseRequest } from './backends/backend.ts';

const [backend = '', httpPort, databasePort] = process.argv.slice(2);
const { open } = (await import(`./backends/${backend}.ts`)) as { open(port: number): Backend };
const decide = open(Number(databasePort));

const router = new Router();
router.post('/v1/purchases', async (ctx) => {
  const { zoneId, buyerId, quantity } = (ctx.request as unknown as { body: PurchaseRequest }).body;
  const purchaseId = ctx.get('idempotency-key');
  const isValid =
    purchaseId !== '' &&
    typeof zoneId === 'string' &&
    typeof buyerId === 'string' &&
    Number.isInteger(quantity) &&
    quantity > 0;
  if (!isValid) ctx.throw(400);
  const isSold = await decide({ purchaseId, zoneId, buyerId, quantity });
  ctx.status = isSold ? 201 : 409;
  ctx.body = { purchaseId, state: isSold ? 'confirmed' : 'rejected' };
});

const app = new Koa();
app.use(bodyParser({ enableTypes: ['json'] })).use(router.routes());
app.listen(Number(httpPort), '127.0.0.1');
