/** What the Node rivals need beyond the project's own dependencies: installed on first use, beside them. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const NODE_RIVALS = join(import.meta.dirname, 'node');

export function whyNoNpm(): string | undefined {
  return isInstalled() || spawnSync('npm', ['--version']).status === 0
    ? undefined
    : 'no npm on the PATH';
}

/** Throws when npm fails. */
export function installPackages(): void {
  if (isInstalled()) return;
  console.error('installing the packages of the Node rivals');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: NODE_RIVALS,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (npm.status !== 0) throw new Error(`npm ci ended with ${npm.status}`);
}

function isInstalled(): boolean {
  const installed = join(NODE_RIVALS, 'node_modules', '.package-lock.json');
  const wanted = join(NODE_RIVALS, 'package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs;
}
