import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configurationPage, envExample } from '../../scripts/config-reference.ts';
import { readConfig } from '../../ticket-sales/app/config.ts';
import { describeSettings } from '../../ticket-sales/app/settings.ts';

const fileText = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('what is made from the table of settings', () => {
  test('is up to date (else: npm run docs)', () => {
    expect(fileText('docs/configuration.md')).toBe(configurationPage());
    expect(fileText('.env.example')).toBe(envExample());
  });

  test('names every setting once', () => {
    for (const { name } of describeSettings()) {
      expect(configurationPage().split(`| \`${name}\` |`)).toHaveLength(2);
      expect(envExample().split(`\n#${name}=`)).toHaveLength(2);
    }
  });

  test('is an environment that works, and means the defaults', () => {
    const lines = envExample()
      .split('\n')
      .filter((line) => /^#[A-Z_]+=/.test(line))
      .map((line) => line.slice(1).split('=') as [string, string]);
    expect(readConfig(Object.fromEntries(lines)).config).toEqual(readConfig({}).config);
  });
});
