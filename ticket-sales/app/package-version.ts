/** Which Millrace this is, as package.json says: two folders up in the sources, three up in the published package. */
import { readFileSync } from 'node:fs';

/** The version, or 'unknown' where no package.json of ours lies near. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const found = readPackage(new URL(path, import.meta.url));
    if (found?.name === 'millrace') return found.version;
  }
  return 'unknown';
}

function readPackage(path: URL): { readonly name: string; readonly version: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
