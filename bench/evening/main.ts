/**
 * A scripted evening, start to end: two events, ten zones, buyers who buy seats, pay, fail to pay,
 * let holds expire, cancel and pay late, while the sale is killed again and again. At the end the
 * auditor, the revenue query and the payment desk must agree to the cent. Exit 0 only when they do.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { auditWhenQuiet } from '../../test/kit/auditor.ts';
import { type SaleProcess, saleProcess } from '../../test/kit/sale-process.ts';
import { JournalWriter } from '../kit/journal-writer.ts';
import { progressBars } from '../kit/progress.ts';
import { connectToSale, type SaleClient } from '../sale-client.ts';
import type { EveningBooks } from './books.ts';
import type { GuestSurroundings, Visit } from './guest.ts';
import { openDoors, receive, settle } from './house.ts';
import { PaymentDesk } from './payment-desk.ts';
import { type Evening, planEvening } from './programme.ts';

const HELP = `npm run demo -- [options]      an evening of two events, from the first buyer to the last refund

  --buyers N      buyers                                         (20000)
  --minutes M     in which they come                             (2)
  --kills N       SIGKILLs of the sale meanwhile                 (6)
  --hold-ms N     how long tickets are held for a buyer          (20000)
  --seed N        the same evening again                         (1)
  --brokers LIST  on this Kafka instead of the embedded broker   (KAFKA_BROKERS)
  --keep          do not delete the folder of the evening

Starts a sale of its own on free ports. Exit 0: the books, the revenue query and the auditor agree.
`;

const READY_WITHIN_MS = 120_000;
const SETTLE_WITHIN_MS = 180_000;

interface EveningRun {
  readonly evening: Evening;
  readonly sale: SaleProcess;
  readonly client: SaleClient;
  readonly desk: PaymentDesk;
  readonly around: GuestSurroundings;
  readonly journalFile: string;
  readonly applicationId: string;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      buyers: { type: 'string', default: '20000' },
      minutes: { type: 'string', default: '2' },
      kills: { type: 'string', default: '6' },
      'hold-ms': { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      brokers: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const number = (option: 'buyers' | 'minutes' | 'kills' | 'hold-ms' | 'seed') => {
    const value = Number(values[option]);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${option} must be a number`);
    return value;
  };
  const directory = mkdtempSync(join(tmpdir(), 'millrace-evening-'));
  const name = Date.now().toString(36);
  const evening = planEvening({
    buyers: number('buyers'),
    seed: number('seed'),
    holdMs: number('hold-ms'),
    name,
  });
  const applicationId = `evening-${name}`;
  const kafkaBrokers = values.brokers ?? process.env['KAFKA_BROKERS'];
  const sale = await saleProcess({
    directory: join(directory, 'sale'),
    ...(kafkaBrokers === undefined ? {} : { kafkaBrokers }),
    env: {
      STREAMS_APPLICATION_ID: applicationId,
      STREAMS_SESSION_TIMEOUT_MS: '6000',
      TICKETS_DEMO: 'false',
      // The desk of the evening is the payment side.
      PAYMENTS: 'off',
      LOG_LEVEL: 'warn',
    },
  });
  const stop = () => void sale.kill('SIGKILL').finally(() => process.exit(130));
  process.once('SIGINT', stop);
  try {
    sale.start();
    await sale.ready(READY_WITHIN_MS);
    const { brokers, registryUrl, httpUrl } = sale;
    const client = await connectToSale({ brokers, registryUrl, httpUrl }, READY_WITHIN_MS);
    const desk = new PaymentDesk(client);
    await desk.open();
    const journalFile = join(directory, 'journal.ndjson');
    const journal = new JournalWriter(journalFile);
    const around = { httpUrl, desk, journal, name, holdMs: number('hold-ms') };
    const run = { evening, sale, client, desk, around, journalFile, applicationId };
    await openDoors(httpUrl, evening);
    const visits = await receiveUnderKills(run, number('minutes') * 60_000, number('kills'));
    const books = await settle(run, visits, SETTLE_WITHIN_MS);
    journal.close();
    await desk.close();
    const verdict = await audited(run);
    await client.close();
    console.log(tableOf(evening, visits, books, verdict));
    return books.problems.length === 0 && verdict === 'RIGHT' ? 0 : 1;
  } finally {
    await sale.kill('SIGTERM');
    if (!values.keep) rmSync(directory, { recursive: true, force: true });
    else console.error(`kept: ${directory}`);
  }
}

/** Resolves when every buyer has done what it meant to do. */
async function receiveUnderKills(run: EveningRun, forMs: number, kills: number): Promise<Visit[]> {
  const { evening, sale, around } = run;
  const { length } = evening.buyers;
  const visits: Visit[] = [];
  const killing = killNowAndThen(sale, kills, forMs, () => visits.length >= length);
  const receiving = receive(evening, around, forMs, visits);
  await progressBars.during('guests', length, () => visits.length, receiving);
  await killing;
  return visits;
}

async function killNowAndThen(
  sale: SaleProcess,
  kills: number,
  forMs: number,
  isOver: () => boolean,
): Promise<void> {
  for (let kill = 0; kill < kills && !isOver(); kill++) {
    await sleep((forMs / (kills + 1)) * (0.7 + 0.6 * Math.random()));
    await sale.kill('SIGKILL');
    sale.start();
    await sale.ready(READY_WITHIN_MS);
  }
}

/** The auditor's last line. */
async function audited({ sale, journalFile, applicationId }: EveningRun): Promise<string> {
  const { brokers, registryUrl } = sale;
  const { exitCode, report } = await auditWhenQuiet({
    brokers,
    registryUrl,
    applicationId,
    journalFile,
  });
  if (exitCode !== 0) console.error(report);
  return report.trim().split('\n').at(-1) ?? '';
}

function tableOf(
  evening: Evening,
  visits: readonly Visit[],
  books: EveningBooks,
  verdict: string,
): string {
  const euros = (minor: number) => (minor / 100).toLocaleString('en', { minimumFractionDigits: 2 });
  const { desk } = books;
  const rows: [string, string | number][] = [
    ['guests', visits.length],
    ['zones', evening.zones.length],
    ...[...books.states].sort().map(([state, count]): [string, number] => [state, count]),
    ...[...turnedAway(visits)].map(([why, count]): [string, string] => [
      'turned away at the door',
      `${count}: ${why}`,
    ]),
    ['tickets sold', books.ticketsSold],
    ['payments taken', `${desk.payments}, EUR ${euros(desk.capturedMinor)}`],
    ['given back', `${desk.refunds}, EUR ${euros(desk.refundedMinor)}`],
    ['revenue by the topics', `EUR ${euros(books.revenueMinor)}`],
    ['books', books.problems.length === 0 ? 'agree to the cent' : 'DO NOT AGREE'],
    ['auditor', verdict],
  ];
  const table = rows.map(([what, value]) => `  ${what.padEnd(26)}${value}`).join('\n');
  const problems = books.problems.slice(0, 20).map((problem) => `  PROBLEM ${problem}`);
  return [table, ...problems].join('\n');
}

/** By what was wrong with their request. */
function turnedAway(visits: readonly Visit[]): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { state, reason } of visits) {
    if (state === undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return reasons;
}

// Whatever the evening has open must not keep it from ending.
process.exit(
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }),
);
