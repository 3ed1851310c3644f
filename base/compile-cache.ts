/** Node's cache of compiled modules, where the Node that runs us has one and it is on. */
import module from 'node:module';

/**
 * Writes out what has been compiled so far; costs nothing when all came from the cache. Else that
 * happens at the end of the process, which one that is killed never sees.
 */
export function keepCompiledModules(): void {
  module.flushCompileCache?.();
}
