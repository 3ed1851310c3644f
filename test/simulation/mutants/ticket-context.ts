/** The ticket processor, with another view of its context. */
import type { Processor, ProcessorContext } from '../../../topology/processor.ts';
import type { BuiltTopology } from '../../../topology/sub-topology.ts';

const NODE = 'tickets';

/** `change` is asked in every task what is to be different. */
export function withContext(
  topology: BuiltTopology,
  change: (context: ProcessorContext) => Partial<ProcessorContext>,
): BuiltTopology {
  const changed = (processor: Processor): Processor => ({
    init: (context) => processor.init?.(overlaid(context, change(context))),
    process: (record) => processor.process(record),
    flush: () => processor.flush?.(),
    close: () => processor.close?.(),
  });
  return {
    ...topology,
    subTopologies: topology.subTopologies.map((subTopology) => ({
      ...subTopology,
      nodes: subTopology.nodes.map((node) =>
        node.kind === 'processor' && node.name === NODE
          ? { ...node, supplier: () => changed(node.supplier()) }
          : node,
      ),
    })),
  };
}

function overlaid(context: ProcessorContext, changes: Partial<ProcessorContext>): ProcessorContext {
  return new Proxy(context, {
    get(target, name) {
      const value = (Reflect.get(changes, name) ?? Reflect.get(target, name, target)) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
