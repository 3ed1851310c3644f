/** What the command line tells scripts: 0 right, 1 violated, 2 not valid. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT_CODES, RULES } from '../../audit/findings.ts';
import { asJson, asText } from '../../cli/audit.ts';
import { auditLog, purchaseRecord } from './crafted-log.ts';
import { logOf, outcome, smallSale } from './small-sale.ts';

function millrace(...words: string[]): Promise<{ code: number | null; output: string }> {
  const main = resolve(import.meta.dirname, '../../cli/main.ts');
  return new Promise((done) => {
    const child = execFile(process.execPath, [main, ...words], (_, stdout, stderr) => {
      done({ code: child.exitCode, output: `${stdout}${stderr}` });
    });
  });
}

test('each verdict has its exit code, and its word as the last line', async () => {
  const right = await auditLog(logOf(smallSale()));
  const wrong = smallSale();
  wrong.status.push(purchaseRecord(outcome(9, 6)));
  const violated = await auditLog(logOf(wrong));
  const crowded = logOf(smallSale());
  crowded.memberCount = 1;
  const notValid = await auditLog(crowded);
  const told = [right, violated, notValid].map((report) => [
    EXIT_CODES[report.verdict],
    asText(report, 1).split('\n').at(-1),
  ]);
  expect(told).toEqual([
    [0, 'RIGHT'],
    [1, 'VIOLATED'],
    [2, 'NOT VALID'],
  ]);
  expect(asText(violated, 1)).toContain('purchaseStatusUpdated-0@6: ');
});

test('the JSON report has the verdict, every rule, and the first places', async () => {
  const wrong = smallSale();
  wrong.status.push(purchaseRecord(outcome(9, 6)));
  const report = JSON.parse(asJson(await auditLog(logOf(wrong)))) as {
    verdict: string;
    rules: Record<string, { kind: string; first?: readonly { place: string }[] }>;
  };
  expect(report.verdict).toBe('violated');
  expect(Object.keys(report.rules)).toEqual(Object.keys(RULES));
  expect(report.rules['I7']?.first?.map(({ place }) => place)).toEqual([
    'purchaseStatusUpdated-0@6',
  ]);
  expect(report.rules['I2']).toMatchObject({ kind: 'not-applicable' });
});

test('the help names options, examples and exit codes', async () => {
  const { code, output } = await millrace('audit', '--help');
  expect(code).toBe(0);
  const options = [
    '--brokers',
    '--registry',
    '--application-id',
    '--journal',
    '--live',
    '--settled',
  ];
  for (const word of [...options, '--json', 'Examples:', 'Exit codes']) {
    expect(output).toContain(word);
  }
});
