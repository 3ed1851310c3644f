/** The real processor of the sale over the stores of an instance, without an engine around it. */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { PaymentUpdate, TicketCommand } from '../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { CommandRefused } from '../../ticket-sales/sale/command-refused.ts';
import { SINKS, TicketProcessor } from '../../ticket-sales/sale/ticket-processor.ts';
import type { ProcessorContext, RecordMetadata } from '../../topology/processor.ts';
import type { FakeStreams } from '../interactive-queries/fake-streams.ts';

const COMMAND_PARTITIONS = 8;
const START_MS = 1_700_000_000_000;

/** One record, decided at START_MS plus its offset. The outcomes that are announced; none when it is refused. */
export function decideWith(
  streams: FakeStreams,
  place: RecordMetadata,
  key: string,
  value: TicketCommand | PaymentUpdate,
): readonly Purchase[] {
  const outcomes: Purchase[] = [];
  const unused = (): never => {
    throw new Error('the sale asks for nothing of the kind while it decides');
  };
  const context: ProcessorContext<string, unknown> = {
    applicationId: 'fake',
    taskId: `0_${place.partition}`,
    partition: place.partition,
    forward: ({ value: output }, sink) => {
      if (sink === SINKS.purchaseStatus) outcomes.push(output as Purchase);
    },
    getStateStore: <K, V>(name: string) =>
      storeOf(streams, name, place.partition) as unknown as KeyValueStore<K, V>,
    schedule: () => ({ cancel: () => {} }),
    commit: unused,
    recordMetadata: () => place,
    currentStreamTimeMs: unused,
    currentSystemTimeMs: unused,
    currentMonotonicMs: unused,
  };
  const processor = new TicketProcessor({ commandPartitions: COMMAND_PARTITIONS });
  processor.init(context as never);
  try {
    processor.process({ key, value, timestampMs: START_MS + place.offset, headers: [] });
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error;
  }
  return outcomes;
}

function storeOf(streams: FakeStreams, name: string, partition: number) {
  return {
    get: (key: unknown) => streams.valueOf(name, partition, key),
    put: (key: unknown, value: unknown) => streams.put(name, partition, key, value),
    delete: (key: unknown) => streams.remove(name, partition, key),
  };
}
