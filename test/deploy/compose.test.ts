/** docker-compose.yml, as far as it can be checked without Docker: its form, our settings and commands in it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../ticket-sales/app/config.ts';
import { isSettingName } from '../../ticket-sales/app/settings.ts';

const file = resolve(import.meta.dirname, '../../docker-compose.yml');
const OURS = ['app-1', 'app-2', 'payments', 'notifications'];

/** Lines that stand deeper than the one that opens the block. */
function block(text: string, opening: RegExp): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => opening.test(line));
  if (start < 0) throw new Error(`there is no ${opening}`);
  const depth = lines[start]!.search(/\S/);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.trim() !== '' && line.search(/\S/) <= depth);
  return rest.slice(0, end < 0 ? rest.length : end).join('\n');
}

/** `NAME: value` lines, `${NAME:-default}` as its default. */
function variables(text: string): Record<string, string> {
  const found = [...text.matchAll(/^ +([A-Z][A-Z0-9_]*): *(.*)$/gm)];
  return Object.fromEntries(
    found.map(([, name, value]) => [
      name!,
      value!.replace(/^"(.*)"$/, '$1').replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ]),
  );
}

const text = readFileSync(file, 'utf8');
const shared = {
  app: variables(block(text, /^x-app-environment:/)),
  service: variables(block(text, /^x-service-environment:/)),
};

function serviceOf(name: string) {
  const own = block(block(text, /^services:/), new RegExp(`^  ${name}:`));
  const isApp = own.includes('*app-environment');
  return {
    text: own,
    environment: { ...(isApp ? shared.app : shared.service), ...variables(own) },
  };
}

describe('docker-compose.yml', () => {
  test.each(OURS)('gives %s settings that there are, with values that they take', (name) => {
    const { environment } = serviceOf(name);
    expect(Object.keys(environment).filter((each) => !isSettingName(each))).toEqual([]);
    const { config } = readConfig(environment);
    expect(config.KAFKA_BROKERS).toEqual([{ host: 'kafka', port: 9_092 }]);
  });

  test('starts each service by its command, with its probes where the image looks', () => {
    const dockerfile = readFileSync(resolve(file, '../Dockerfile'), 'utf8');
    const [, port] = /HTTP_PORT \?\? (\d+)/.exec(dockerfile)!;
    for (const name of ['payments', 'notifications']) {
      const service = serviceOf(name);
      expect(service.text).toContain(`command: ["node", "dist/cli/main.js", "${name}"]`);
      expect(service.environment['SERVICE_HTTP_PORT']).toBe(port);
    }
  });

  test('keeps the state of each in a volume of its own', () => {
    const volumes = OURS.map(
      (name) => /- (\S+):\/var\/lib\/millrace/.exec(serviceOf(name).text)![1]!,
    );
    expect(new Set(volumes).size).toBe(OURS.length);
    for (const volume of volumes) expect(block(text, /^volumes:/)).toContain(`  ${volume}:`);
  });

  const compose = spawnSync('docker-compose', ['version']);
  if (compose.error !== undefined) console.log('SKIPPED: docker-compose is not here');
  test.skipIf(compose.error !== undefined)('is what docker-compose takes', () => {
    const checked = spawnSync('docker-compose', ['-f', file, 'config', '-q'], { encoding: 'utf8' });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });
});
