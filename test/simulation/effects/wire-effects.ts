/** Every connection and every request of the engine, by what it is for. */
import { MillraceError } from '../../../base/errors.ts';
import { errorName } from '../../../kafka/protocol/error-codes.ts';
import type { BrokerConnection, BrokerConnector, RequestHeader } from '../../../kafka/wire.ts';
import type { Process } from '../../../simulation/world/process.ts';
import { codeNamed, codesAfterAll, codesOf } from './error-codes.ts';
import type { Injector } from './injector.ts';
import { needsAnswer, refusal, withCode } from './refusal.ts';

const REFUSED = 'connection refused';
const NOT_AUTHENTICATED = 'authentication fails';
const REQUEST_LOST = 'connection lost before the request';
const ANSWER_LOST = 'connection lost before the answer';
const SILENCE = 'no answer at all';
const AFTER_ALL = ', though done';

/** Channels are called after applications, threads and producers: what they are for is what counts. */
const PURPOSES: readonly (readonly [RegExp, string])[] = [
  [/^producer-.+-transaction$/, 'producer, coordinator'],
  [/^producer-.+-group$/, 'producer, offsets'],
  [/^producer-/, 'producer'],
  [/^group-.+-join$/, 'group, join'],
  [/^group-/, 'group'],
  [/-fetch$/, 'input'],
  [/-restore$/, 'restore'],
  [/-standby$/, 'standby'],
];

function purposeOf(channel: string): string {
  return PURPOSES.find(([pattern]) => pattern.test(channel))?.[1] ?? channel;
}

/** What was sent in place of whom: told to whoever judges. */
export interface Resent {
  /** The request that failed, and how often the same bytes have been sent after it. */
  body: string | undefined;
  sameAgain: number;
  /** Other requests of that name after it. */
  others: number;
}

export function failingConnector(
  connector: BrokerConnector,
  process: Process,
  injector: Injector,
  resent: Resent,
): BrokerConnector {
  return {
    connect: async (address, channel) => {
      const purpose = purposeOf(channel);
      const fault = injector.meet(`connect (${purpose})`, [REFUSED, NOT_AUTHENTICATED]);
      if (fault === REFUSED) throw new MillraceError('KAFKA_UNAVAILABLE', 'injected: refused');
      if (fault === NOT_AUTHENTICATED) {
        throw new MillraceError('KAFKA_AUTHENTICATION', 'injected: wrong password');
      }
      const connection = await connector.connect(address, channel);
      return new FailingConnection(connection, purpose, { process, injector, resent });
    },
  };
}

class FailingConnection implements BrokerConnection {
  readonly #connection: BrokerConnection;
  readonly #purpose: string;
  readonly #parts: { process: Process; injector: Injector; resent: Resent };

  constructor(
    connection: BrokerConnection,
    purpose: string,
    parts: { process: Process; injector: Injector; resent: Resent },
  ) {
    this.#connection = connection;
    this.#purpose = purpose;
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  close(): void {
    this.#connection.close();
  }

  request(header: RequestHeader, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const { injector, resent } = this.#parts;
    const effect = `${header.apiName} (${this.#purpose})`;
    const bytes = `${effect} ${Buffer.from(body).toString('latin1')}`;
    if (resent.body === bytes) resent.sameAgain++;
    else if (resent.body?.startsWith(`${effect} `)) resent.others++;
    const fault = injector.meet(effect, faultsOf(header));
    if (fault === undefined) return this.#connection.request(header, body, timeoutMs);
    resent.body = bytes;
    return this.#fail(fault, header, body, timeoutMs);
  }

  async #fail(
    fault: string,
    header: RequestHeader,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<Buffer> {
    const { clock } = this.#parts.process;
    const send = () => this.#connection.request(header, body, timeoutMs);
    if (fault === REQUEST_LOST) return this.#lose(header);
    if (fault === ANSWER_LOST) {
      await send().catch(() => {});
      return this.#lose(header);
    }
    if (fault === SILENCE) {
      void send().catch(() => {});
      await clock.sleep(timeoutMs);
      return this.#lose(header);
    }
    const isDone = fault.endsWith(AFTER_ALL);
    const code = codeNamed(isDone ? fault.slice(0, -AFTER_ALL.length) : fault);
    if (isDone || needsAnswer(header.apiName)) return withCode(header, await send(), code);
    // As long as an answer takes.
    await clock.sleep(1);
    return refusal(header, body, code);
  }

  #lose({ apiName }: RequestHeader): never {
    this.#connection.close();
    throw new MillraceError('KAFKA_RETRIABLE', `injected: ${apiName} was lost`);
  }
}

function faultsOf({ apiName }: RequestHeader): readonly string[] {
  return [
    REQUEST_LOST,
    ANSWER_LOST,
    SILENCE,
    ...codesOf(apiName).map(errorName),
    ...codesAfterAll(apiName).map((code) => `${errorName(code)}${AFTER_ALL}`),
  ];
}
