/**
 * Sends over the bad network until it is taken, as a client with an idempotency key: an unknown outcome
 * means the same again. Each send has its number in a header, so that the log can be held to it.
 */
import { type Serde, toBytes } from '../../../schemas/serde.ts';
import type { SendOutcome, SimulatedRun } from '../../../simulation/scenario.ts';
import { between } from '../../../simulation/world/draw.ts';
import { SEND_HEADER } from '../buyers.ts';
import { partitionOf } from './app.ts';

const AGAIN_MS: readonly [min: number, max: number] = [10, 300];

export interface Sent<V = unknown> {
  readonly topic: string;
  readonly message: V;
  outcome: SendOutcome | 'sent';
}

export class Sender {
  /** By number of the send. */
  readonly journal: Sent[] = [];
  readonly #run: SimulatedRun;

  constructor(run: SimulatedRun) {
    this.#run = run;
  }

  /** To the key's own partition, if none is named. */
  async send<V>(
    topic: string,
    serde: Serde<V>,
    key: string,
    message: V,
    partition = partitionOf(key),
  ): Promise<void> {
    const value = toBytes(serde, message);
    const { random, clock } = this.#run;
    for (;;) {
      const sent: Sent = { topic, message, outcome: 'sent' };
      const number = this.journal.push(sent) - 1;
      const headers = [{ key: SEND_HEADER, value: Buffer.from(String(number)) }];
      const record = { key: Buffer.from(key), value, headers };
      sent.outcome = await this.#run.send(topic, partition, record);
      if (sent.outcome === 'acknowledged') return;
      await clock.sleep(between(random, ...AGAIN_MS));
    }
  }
}
