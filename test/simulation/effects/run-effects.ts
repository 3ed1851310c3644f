/**
 * `npm run effects -- [--only TEXT] [--write] [--threads N]`: an error at every awaited effect of the engine, and at every
 * call to the broker's disk, one run for each. The list comes from runs without an error. Every run must
 * keep all invariants and come to rest; every error must have happened: 100 % or the program fails. The
 * table of outcomes is docs/failure-outcomes.md: --write makes it anew, else a difference is a failure.
 * The last line is the tally.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { commandLine } from '../command-line.ts';
import { type EffectResult, type EffectTask, quietRun } from './one-error.ts';
import { outcomesPage } from './outcomes-page.ts';
import { injectionsIn, MODES } from './representative-run.ts';

const PAGE = new URL('../../../docs/failure-outcomes.md', import.meta.url);
const PROGRESS_MS = 10_000;

const HELP = `npm run effects -- [options]

  --only TEXT     effects whose name has this in it            (all)
  --write         writes docs/failure-outcomes.md anew         (else a difference is a failure)
  --threads N     workers                                      (one for each core)
`;

const values = commandLine(HELP, {
  only: { type: 'string' },
  write: { type: 'boolean', default: false },
  threads: { type: 'string', default: String(availableParallelism()) },
});

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function list(): Promise<EffectTask[]> {
  const tasks: EffectTask[] = [];
  for (const mode of MODES) {
    const quiet = await quietRun(mode);
    if (quiet.result.violations.length > 0) {
      throw new Error(`${mode}, without any error: ${quiet.result.violations[0]}`);
    }
    for (const injection of injectionsIn(mode, quiet)) tasks.push({ mode, injection });
    tell(`${mode}: ${quiet.injector.counts.size} effects`);
  }
  const { only } = values;
  return only === undefined ? tasks : tasks.filter((task) => nameOf(task).includes(only));
}

function nameOf({ mode, injection: { effect, fault, nth } }: EffectTask): string {
  return `${mode}: ${effect}: ${fault}, number ${nth}`;
}

async function runAll(tasks: readonly EffectTask[]): Promise<EffectResult[]> {
  const results: EffectResult[] = [];
  const queue = [...tasks];
  const progress = setInterval(() => {
    const failures = results.filter(({ verdict }) => verdict.kind === 'failed').length;
    tell(`${results.length} of ${tasks.length} errors injected, ${failures} failed`);
  }, PROGRESS_MS);
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./effect-worker.ts', import.meta.url));
      const more = () => worker.postMessage(queue.shift());
      worker.on('message', (result: EffectResult) => {
        results.push(result);
        if (result.verdict.kind === 'failed') {
          tell(`FAILED ${nameOf(result)}\n  ${result.verdict.violation}`);
        }
        more();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      more();
    });
  await Promise.all(Array.from({ length: Number(values.threads) }, work));
  clearInterval(progress);
  return results;
}

/** False when the page in the repository says something else. */
function compare(page: string): boolean {
  if (values.write) {
    writeFileSync(PAGE, page);
    tell('wrote docs/failure-outcomes.md');
    return true;
  }
  if (existsSync(PAGE) && readFileSync(PAGE, 'utf8') === page) return true;
  tell('FAILED docs/failure-outcomes.md says something else: npm run effects -- --write');
  return false;
}

const tasks = await list();
const results = await runAll(tasks);
const failed = results.filter(({ verdict }) => verdict.kind === 'failed').length;
const page = outcomesPage(results);
tell(page);
const isUpToDate = values.only !== undefined || failed > 0 || compare(page);
tell(`coverage: ${results.length} of ${tasks.length} errors`);
tell(`${results.length - failed} passed, ${failed} failed`);
const isComplete = results.length === tasks.length && tasks.length > 0;
process.exitCode = failed === 0 && isUpToDate && isComplete ? 0 : 1;
