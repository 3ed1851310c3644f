/**
 * `npm run bench`: measures the sale as it is started by its users, from outside, alone or side by
 * side with rivals. One JSON line per measure, a table at the end, a picture beside the lines. Exit 0
 * only when every proof holds.
 */
import { join, relative } from 'node:path';
import { casesOf } from './cases.ts';
import { contestantsOf, measureAll } from './contest.ts';
import type { Measure } from './kit/measure.ts';
import { jsonLine, keepLine, keepPictures } from './kit/results/files.ts';
import { summariesOf } from './kit/results/summary.ts';
import { tableOf } from './kit/results/table.ts';
import { descendants } from './kit/usage/process-usage.ts';
import { helpText, parseCommand, UsageError } from './options.ts';

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2), join(import.meta.dirname, 'results'));
  if (command === undefined) {
    process.stdout.write(helpText());
    return 0;
  }
  const session = new Date().toISOString();
  const measures: Measure[] = [];
  for (const name of command.names) {
    console.error(name);
    const contestants = await contestantsOf(name, command);
    const cases = casesOf(name, command.options);
    const measured = await measureAll(cases, contestants, command, (measure, { options }) => {
      const line = jsonLine(session, { ...measure, bench: name }, options);
      keepLine(command.out, name, line);
      console.log(line);
    });
    measures.push(...measured.map((measure) => ({ ...measure, bench: name })));
  }
  if (measures.length === 0) return 0;
  const summaries = summariesOf(measures);
  for (const summary of summaries) console.log(`\n${tableOf(summary)}`);
  console.log('');
  for (const file of keepPictures(command.out, summaries)) console.log(relative('', file));
  return measures.some(({ isProven }) => isProven === false) ? 1 : 0;
}

/** Whoever stops the bench stops what it has started. */
function endWithChildren(): void {
  for (const pid of descendants(process.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  process.exit(130);
}

process.once('SIGINT', endWithChildren);
process.once('SIGTERM', endWithChildren);
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof UsageError ? `${error.message}\n\n${helpText()}` : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
