/** A topology that every stream thread can build for itself: functions cannot be posted to a worker. */
import { MillraceError } from '../base/errors.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';

export interface TopologyModule {
  /** URL of an ES module. */
  readonly module: URL | string;
  /** A function it exports: (args) => BuiltTopology, or a promise of one. */
  readonly export: string;
  /** Plain data for that function. */
  readonly args?: unknown;
}

/** Rejects TOPOLOGY_INVALID when the module has no such function. */
export async function loadTopology(source: BuiltTopology | TopologyModule): Promise<BuiltTopology> {
  if (!isTopologyModule(source)) return source;
  const namespace: Record<string, unknown> = await import(String(source.module));
  const build = namespace[source.export];
  if (typeof build !== 'function') {
    throw new MillraceError(
      'TOPOLOGY_INVALID',
      `${source.module} exports no function ${source.export}`,
    );
  }
  return build(source.args);
}

export function isTopologyModule(source: BuiltTopology | TopologyModule): source is TopologyModule {
  return 'module' in source;
}
