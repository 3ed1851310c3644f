/**
 * A payment provider for tests, that lives outside of everything that is killed: takes requests with
 * idempotency keys, books each once, and calls back until it is heard.
 */
import { createServer } from 'node:http';
import { sign, verify } from '../../ticket-sales/signature.ts';

export interface Booking {
  readonly purchaseId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  /** How often it was asked for. */
  asked: number;
}

export interface Bank {
  readonly url: string;
  /** By purchase. */
  readonly payments: ReadonlyMap<string, Booking>;
  /** By refund. */
  readonly refunds: ReadonlyMap<string, Booking>;
  /** Requests that were not signed as agreed. */
  readonly unsigned: () => number;
  close(): Promise<void>;
}

export interface BankOptions {
  /** Of the API that is called back. */
  readonly saleUrl: string;
  readonly secret: string;
  readonly delayMs: number;
}

interface Request {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly paymentId?: string;
  readonly refundId?: string;
  readonly amountMinor: number;
  readonly currency: string;
}

export async function startBank({ saleUrl, secret, delayMs }: BankOptions): Promise<Bank> {
  const payments = new Map<string, Booking>();
  const refunds = new Map<string, Booking>();
  const timers = new Set<NodeJS.Timeout>();
  let unsigned = 0;
  let isClosed = false;

  const later = (action: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isClosed) action();
    }, delayMs);
    timers.add(timer);
  };
  const callBack = (purchaseId: string, update: object): void => {
    const body = JSON.stringify(update);
    const headers = {
      'content-type': 'application/json',
      'millrace-signature': sign([secret], body, Date.now()),
    };
    fetch(`${saleUrl}/v1/payments/${purchaseId}`, { method: 'POST', headers, body }).then(
      (answer) => {
        if (answer.status !== 202) later(() => callBack(purchaseId, update));
      },
      () => later(() => callBack(purchaseId, update)),
    );
  };
  const book = (books: Map<string, Booking>, key: string, request: Request) => {
    const known = books.get(key);
    if (known !== undefined) {
      known.asked++;
      return;
    }
    const { purchaseId, amountMinor, currency, refundId, paymentId = `bank-${key}` } = request;
    books.set(key, { purchaseId, paymentId, amountMinor, asked: 1 });
    const status = refundId === undefined ? 'succeeded' : 'refunded';
    const refund = refundId === undefined ? {} : { refundId };
    later(() => callBack(purchaseId, { paymentId, status, amountMinor, currency, ...refund }));
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const signature = String(request.headers['millrace-signature']);
      if (verify(signature, [secret], body, Date.now()) !== 'good') unsigned++;
      const books = request.url === '/refunds' ? refunds : payments;
      book(books, String(request.headers['idempotency-key']), JSON.parse(body.toString()));
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    payments,
    refunds,
    unsigned: () => unsigned,
    close: () => {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
