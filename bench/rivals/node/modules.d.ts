/**
 * What the rivals use of packages that are installed only when a rival first runs: the project's type
 * check must not need them.
 */
declare module '@koa/bodyparser' {
  import type { Middleware } from 'koa';
  export function bodyParser(options: { enableTypes: string[] }): Middleware;
}

declare module '@koa/router' {
  import type { Context, Middleware } from 'koa';
  export class Router {
    post(path: string, handle: (ctx: Context) => Promise<void>): this;
    routes(): Middleware;
  }
}

declare module 'pg' {
  interface Query {
    readonly name: string;
    readonly text: string;
    readonly values: readonly unknown[];
  }
  export class Pool {
    constructor(options: {
      host: string;
      port: number;
      user: string;
      database: string;
      max: number;
    });
    query<Row>(query: Query | string): Promise<{ readonly rows: readonly Row[] }>;
    end(): Promise<void>;
  }
}

declare module 'ioredis' {
  export class Redis {
    constructor(options: { port: number; host: string });
    defineCommand(name: string, options: { numberOfKeys: number; lua: string }): void;
  }
}

declare module '@platformatic/kafka' {
  interface Connection {
    readonly bootstrapBrokers: readonly string[];
    readonly clientId: string;
    readonly retries: number;
    readonly retryDelay: number;
    readonly timeout: number;
  }
  interface Message {
    readonly partition: number;
    readonly offset: bigint;
    readonly timestamp: bigint;
    readonly key: Buffer;
    readonly value: Buffer;
  }
  interface MessageStream {
    on(event: 'data', listener: (message: Message) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    pause(): void;
    resume(): void;
  }
  interface Transaction {
    send(options: {
      acks: number;
      messages: readonly { topic: string; key: Buffer; value: Buffer }[];
    }): Promise<unknown>;
    addConsumer(consumer: Consumer): Promise<void>;
    addOffset(message: Message): Promise<void>;
    commit(): Promise<void>;
  }
  export class Consumer {
    constructor(options: Connection & { groupId: string; autocommit: boolean });
    consume(options: {
      topics: readonly string[];
      mode: 'committed';
      fallbackMode: 'earliest';
      autocommit: boolean;
      isolationLevel: number;
      maxBytes: number;
      maxWaitTime: number;
      highWaterMark: number;
    }): Promise<MessageStream>;
  }
  export class Producer {
    constructor(
      options: Connection & {
        idempotent: boolean;
        transactionalId: string;
        partitioner: unknown;
        producerId: bigint;
        producerEpoch: number;
      },
    );
    beginTransaction(options: { producerId: bigint; producerEpoch: number }): Promise<Transaction>;
  }
  export const compatibilityPartitioner: unknown;
}
