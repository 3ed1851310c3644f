/** The sale's records by avsc, in Confluent's wire format, for the jobs that are written in Node. */
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import type { KafkaJob } from '../rival.ts';

export interface PurchaseAsked {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly buyerId: string;
  readonly quantity: number;
}

export interface ZoneCreated {
  readonly eventId: string;
  readonly zoneId: string;
  readonly capacity: number;
  readonly quantityMax: number;
}

/** One of the two; the bench asks for nothing else. */
export interface Command {
  readonly purchase?: PurchaseAsked;
  readonly zone?: ZoneCreated;
}

const HEADER_BYTES = 5;
const NAMESPACE = 'millrace.tickets';

export class SaleRecords {
  readonly #job: KafkaJob;
  readonly #command = schema('ticket-command');
  readonly #status = schema('purchase-status-updated');
  readonly #inventory = schema('inventory-updated');
  readonly #scratch = Buffer.allocUnsafe(4_096);

  constructor(job: KafkaJob) {
    this.#job = job;
  }

  command(value: Buffer): Command {
    if (value[0] !== 0 || value.readInt32BE(1) !== this.#job.commandSchema)
      throw new Error('not a command');
    const decoded = this.#command.decode(value, HEADER_BYTES).value as {
      command: Record<string, PurchaseAsked | ZoneCreated>;
    };
    const purchase = decoded.command[`${NAMESPACE}.Purchase`];
    if (purchase !== undefined) return { purchase: purchase as PurchaseAsked };
    return { zone: decoded.command[`${NAMESPACE}.CreateZone`] as ZoneCreated };
  }

  status(value: object): Buffer {
    return this.#encoded(this.#status, this.#job.statusSchema, value);
  }

  inventory(value: object): Buffer {
    return this.#encoded(this.#inventory, this.#job.inventorySchema, value);
  }

  #encoded(type: avsc.Type, schemaId: number, value: object): Buffer {
    this.#scratch[0] = 0;
    this.#scratch.writeInt32BE(schemaId, 1);
    return Buffer.from(this.#scratch.subarray(0, type.encode(value, this.#scratch, HEADER_BYTES)));
  }
}

function schema(name: string): avsc.Type {
  const file = new URL(`../../../schemas/ticket-sales/${name}.avsc`, import.meta.url);
  return avsc.Type.forSchema(JSON.parse(readFileSync(file, 'utf8')));
}
