/** Writes what is made from code: docs/configuration.md and .env.example. A test says when they are old. */
import { writeFileSync } from 'node:fs';
import { configurationPage, envExample } from './config-reference.ts';

const root = new URL('../', import.meta.url);

for (const [file, text] of [
  ['docs/configuration.md', configurationPage()],
  ['.env.example', envExample()],
] as const) {
  writeFileSync(new URL(file, root), text);
  console.log(`wrote ${file}`);
}
