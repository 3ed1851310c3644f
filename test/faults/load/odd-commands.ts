/**
 * Commands as other producers write them: with an older or a newer version of the schema, with one that
 * cannot be read as ours, or with a kind of command that we do not have.
 */

import type { SaleClient } from '../../../bench/sale-client.ts';
import { parseSchema } from '../../../schemas/avro-types.ts';
import { confluentRegistryClient } from '../../../schemas/confluent-registry-client.ts';
import type { AvroSchema } from '../../../schemas/schema-registry.ts';
import type { PurchaseCommand } from '../../../ticket-sales/domain/command.ts';

const NAMESPACE = 'millrace.tickets';
const BYTES_MAX = 4_096;
const HEADER_BYTES = 5;

interface Field {
  readonly name: string;
  readonly type: AvroSchema;
  readonly default?: null;
}

const field = (name: string, type: AvroSchema): Field => ({ name, type });
const record = (name: string, fields: readonly Field[]) =>
  ({ type: 'record', name, namespace: NAMESPACE, fields }) as unknown as AvroSchema;

const ADDRESS = [
  field('purchaseId', 'string'),
  field('eventId', 'string'),
  field('zoneId', 'string'),
];
const purchaseWith = (...fields: readonly Field[]) =>
  record('Purchase', [...ADDRESS, field('buyerId', 'string'), ...fields]);
const CANCEL = record('CancelPurchase', ADDRESS);
const QUANTITY = field('quantity', 'int');
const REQUESTED = field('requestedAtMs', 'long');

/** Always two branches, so that their values are told by their names. */
const commandOf = (branch: AvroSchema) =>
  record('TicketCommand', [field('command', [branch, CANCEL] as readonly AvroSchema[])]);

const SCHEMAS = {
  /** Before there were options. */
  older: commandOf(purchaseWith(QUANTITY, REQUESTED)),
  newer: commandOf(
    purchaseWith(QUANTITY, REQUESTED, {
      name: 'giftWrap',
      type: ['null', 'string'],
      default: null,
    }),
  ),
  incompatible: commandOf(purchaseWith(field('quantity', 'string'), REQUESTED)),
  'unknown command': commandOf(record('Teleport', [...ADDRESS, field('buyerId', 'string')])),
} as const satisfies Record<string, AvroSchema>;

export type OddSchema = keyof typeof SCHEMAS;

/** Registers the schema and writes commands with it, as bytes for the topic of commands. */
export async function oddWriter(
  { addresses, serdes }: SaleClient,
  name: OddSchema,
): Promise<(purchase: PurchaseCommand) => Buffer> {
  const registry = confluentRegistryClient({ url: addresses.registryUrl });
  const schema = SCHEMAS[name];
  const schemaId = await registry.register(`odd-${name.replace(' ', '-')}-value`, schema);
  // Whoever reads the topic on our side must know it, too.
  await serdes.command.resolve?.(schemaId);
  const type = parseSchema(schema);
  const branch = name === 'unknown command' ? 'Teleport' : 'Purchase';
  return (purchase) => {
    const quantity = name === 'incompatible' ? String(purchase.quantity) : purchase.quantity;
    const datum = {
      command: { [`${NAMESPACE}.${branch}`]: { ...purchase, quantity, giftWrap: 'red' } },
    };
    const bytes = Buffer.alloc(BYTES_MAX);
    bytes.writeInt32BE(schemaId, 1);
    return bytes.subarray(0, type.encode(datum, bytes, HEADER_BYTES));
  };
}
