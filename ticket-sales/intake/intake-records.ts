/** What the intake keeps, as records. */
import { avroSerde } from '../../schemas/avro-serde.ts';
import type { SchemaRegistry } from '../../schemas/schema-registry.ts';
import type { Serde } from '../../schemas/serde.ts';
import { loadSchema } from '../records.ts';
import type { CustomerTickets } from './admission.ts';

export interface IntakeSerdes {
  readonly tickets: Serde<CustomerTickets>;
}

export function intakeSerdes(registry: SchemaRegistry): IntakeSerdes {
  return { tickets: avroSerde({ schema: loadSchema('customer-tickets'), registry }) };
}
