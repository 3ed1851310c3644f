/** Writes what is made from code: settings and interfaces. A test says when a file is old. */
import { writeFileSync } from 'node:fs';
import { asyncApiDocument } from './async-api.ts';
import { configurationPage, envExample } from './config-reference.ts';
import { jsonText } from './json-text.ts';
import { openApiPage } from './open-api.ts';

const root = new URL('../', import.meta.url);

for (const [file, text] of [
  ['docs/configuration.md', configurationPage()],
  ['.env.example', envExample()],
  ['docs/openapi.json', jsonText(openApiPage())],
  ['docs/asyncapi.json', jsonText(asyncApiDocument())],
] as const) {
  writeFileSync(new URL(file, root), text);
  console.log(`wrote ${file}`);
}
