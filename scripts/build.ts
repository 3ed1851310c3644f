/**
 * Builds what is published: JavaScript and types in dist/, since Node strips no types under
 * node_modules. tsc rewrites imports; `new URL('./x.ts', import.meta.url)` of workers is ours to do.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
const compiled = spawnSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
  const file = join(entry.parentPath, entry.name);
  const text = readFileSync(file, 'utf8');
  const rewritten = text.replace(
    /new URL\('(\.{1,2}\/[^']+)\.ts', import\.meta\.url\)/g,
    "new URL('$1.js', import.meta.url)",
  );
  if (rewritten !== text) writeFileSync(file, rewritten);
}
cpSync(join(root, 'schemas', 'ticket-sales'), join(dist, 'schemas', 'ticket-sales'), {
  recursive: true,
});
