/** A processor with another view of what it is given: the ticket processor, or another node. */
import type { Processor, ProcessorContext } from '../../../topology/processor.ts';
import type { BuiltTopology } from '../../../topology/sub-topology.ts';

const TICKETS = 'tickets';

/** `change` is asked in every task what is to be different. */
export function withContext(
  topology: BuiltTopology,
  change: (context: ProcessorContext) => Partial<ProcessorContext>,
  node = TICKETS,
): BuiltTopology {
  return withProcessor(topology, node, (processor) => ({
    ...whole(processor),
    init: (context) => processor.init?.(overlaid(context, change(context))),
  }));
}

/** `change` is asked for the processor of every task. */
export function withProcessor(
  topology: BuiltTopology,
  name: string,
  change: (processor: Processor) => Processor,
): BuiltTopology {
  return {
    ...topology,
    subTopologies: topology.subTopologies.map((subTopology) => ({
      ...subTopology,
      nodes: subTopology.nodes.map((node) =>
        node.kind === 'processor' && node.name === name
          ? { ...node, supplier: () => change(node.supplier()) }
          : node,
      ),
    })),
  };
}

/** Its methods as properties, to be spread. */
export function whole(processor: Processor): Processor {
  return {
    init: (context) => processor.init?.(context),
    process: (record) => processor.process(record),
    flush: () => processor.flush?.(),
    close: () => processor.close?.(),
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
