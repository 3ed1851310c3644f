#!/usr/bin/env node
/**
 * Entry of the command line: turns on Node's cache of compiled modules, then loads the rest. A start
 * from the cache costs a third of the CPU in each thread. The cache lies in the user's own folder
 * (never in one that others may write to); without one, or without room, everything is compiled anew.
 */
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const directory = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'millrace');
// Node 20 has no such cache; whoever has chosen a folder of his own has it on already.
if (process.env['NODE_COMPILE_CACHE'] === undefined) {
  const { directory: opened } = module.enableCompileCache?.(directory) ?? {};
  // What workers go by.
  if (opened !== undefined) process.env['NODE_COMPILE_CACHE'] = directory;
}

await import('./program.ts');
