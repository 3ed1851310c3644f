/** The rivals by name, and what each is measured against. */
import type { BenchName } from '../kit/measure.ts';
import { FAST, kafkaStreams, LEAN } from './kafka-streams.ts';
import { mapServer } from './map-server.ts';
import { kafkajsJob, platformaticJob } from './node-jobs.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import type { Rival } from './rival.ts';
import { ticketOffice } from './ticket-office.ts';

export interface CatalogueEntry {
  readonly about: string;
  readonly benches: readonly BenchName[];
  readonly rival: Rival;
}

export const RIVALS: Readonly<Record<string, CatalogueEntry>> = {
  'kafka-streams': {
    about: 'Kafka Streams 4.3.1, tuned for speed',
    benches: ['throughput', 'latency', 'restore', 'recovery', 'memory'],
    rival: kafkaStreams(FAST),
  },
  'kafka-streams-lean': {
    about: 'the same with little memory',
    benches: ['throughput', 'restore', 'recovery', 'memory'],
    rival: kafkaStreams(LEAN),
  },
  'kafka-streams-20ms': {
    about: 'the same as for speed, committing every 20 ms: its best up to 10,000/s',
    benches: ['latency'],
    rival: kafkaStreams({ ...FAST, commitMs: 20 }),
  },
  kafkajs: {
    about: 'the sale as kafkajs documents exactly-once; no changelog',
    benches: ['throughput', 'latency'],
    rival: kafkajsJob,
  },
  platformatic: {
    about: 'the same with @platformatic/kafka',
    benches: ['throughput', 'latency'],
    rival: platformaticJob,
  },
  postgres: {
    about: 'Koa and Postgres, a conditional UPDATE per purchase',
    benches: ['http'],
    rival: ticketOffice(postgres('postgres')),
  },
  'postgres-batched': {
    about: 'Koa and Postgres, purchases that wait together in one call',
    benches: ['http'],
    rival: ticketOffice(postgres('postgres-batched')),
  },
  redis: {
    about: 'Koa and a Lua script in Redis, synced at every write',
    benches: ['http'],
    rival: ticketOffice(redis('always')),
  },
  'redis-everysec': {
    about: 'the same, synced once a second',
    benches: ['http'],
    rival: ticketOffice(redis('everysec')),
  },
  'node-http': {
    about: 'raw node:http, the same bytes from a Map',
    benches: ['query'],
    rival: mapServer,
  },
};
