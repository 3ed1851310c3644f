/**
 * The way to one broker for one channel: a session that is opened when first needed, shared while it
 * lives, and opened again after it was lost, with a growing pause between failures.
 */
import { backoffMs } from '../../base/backoff.ts';
import { MillraceError } from '../../base/errors.ts';
import type { ClientDeps } from '../client-deps.ts';
import type { BrokerAddress, BrokerConnector } from '../wire.ts';
import { type BrokerSession, openSession } from './broker-session.ts';

const RECONNECT_BACKOFF = { initialMs: 50, maxMs: 1_000 };

export class BrokerLink {
  readonly address: BrokerAddress;
  readonly #purpose: string;
  readonly #connector: BrokerConnector;
  readonly #deps: ClientDeps;
  /** Ends the pause before the next try. */
  #pausing: AbortController | undefined;
  #isClosed = false;
  #session: BrokerSession | undefined;
  #opening: Promise<BrokerSession> | undefined;
  #failures = 0;

  constructor(
    address: BrokerAddress,
    purpose: string,
    connector: BrokerConnector,
    deps: ClientDeps,
  ) {
    this.address = address;
    this.#purpose = purpose;
    this.#connector = connector;
    this.#deps = deps;
  }

  /** The session when it is open now. */
  get session(): BrokerSession | undefined {
    return this.#session?.connection.isOpen === true ? this.#session : undefined;
  }

  /** The open session, or a new one; concurrent calls share it. Rejects as BrokerConnector.connect(). */
  async open(): Promise<BrokerSession> {
    const session = this.session;
    if (session !== undefined) return session;
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  close(): void {
    this.#isClosed = true;
    this.#pausing?.abort();
    this.#session?.connection.close();
    this.#session = undefined;
  }

  async #reopen(): Promise<BrokerSession> {
    this.#session?.connection.close();
    this.#session = undefined;
    const { clock, random } = this.#deps;
    this.#throwIfClosed();
    if (this.#failures > 0) {
      const pauseMs = backoffMs(this.#failures - 1, RECONNECT_BACKOFF, random);
      this.#pausing = new AbortController();
      await clock.sleep(pauseMs, this.#pausing.signal);
      this.#pausing = undefined;
    }
    this.#throwIfClosed();
    try {
      const session = await openSession(this.#connector, this.address, this.#purpose);
      this.#failures = 0;
      return this.#adopt(session);
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  #adopt(session: BrokerSession): BrokerSession {
    if (this.#isClosed) session.connection.close();
    this.#throwIfClosed();
    this.#session = session;
    return session;
  }

  #throwIfClosed(): void {
    if (!this.#isClosed) return;
    throw new MillraceError('KAFKA_UNAVAILABLE', `the link to ${this.address.host} is closed`);
  }
}
