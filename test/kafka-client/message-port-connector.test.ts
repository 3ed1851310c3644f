import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../base/manual-clock.ts';
import {
  type ConnectMessage,
  createMessagePortConnector,
} from '../../kafka/message-port-connector.ts';
import { decodeRequestHeader, encodeResponseHeader } from '../../kafka/protocol/codec.ts';
import type { BrokerConnection, BrokerConnector } from '../../kafka/wire.ts';

const ADDRESS = { host: 'embedded', port: 0 };
const HEADER = { apiKey: 12, apiName: 'Heartbeat', apiVersion: 4, flexible: true };

let clock: ManualClock;
let broker: MessagePort;
let base: MessagePort;
let connector: BrokerConnector;
let connection: BrokerConnection;
/** The broker's side of `connection`. */
let accepted: MessagePort;

beforeEach(async () => {
  clock = new ManualClock();
  const channel = new MessageChannel();
  base = channel.port1;
  broker = channel.port2;
  connector = createMessagePortConnector(base, 'tester', { clock });
  const message = once(broker, 'message') as Promise<[ConnectMessage]>;
  connection = await connector.connect(ADDRESS, 'test');
  const [{ kind, port }] = await message;
  expect(kind).toBe('connect');
  accepted = port;
});

afterEach(() => {
  connection.close();
  broker.close();
});

function respond(request: Uint8Array, body: string): void {
  const header = decodeRequestHeader(Buffer.from(request));
  const frame = Uint8Array.from(Buffer.concat([encodeResponseHeader(header), Buffer.from(body)]));
  accepted.postMessage(frame, [frame.buffer]);
}

describe('a connection over a message port', () => {
  test('carries whole frames without their size, both ways', async () => {
    accepted.on('message', (frame: Uint8Array) => {
      const { apiKey, apiVersion, clientId, bodyAt } = decodeRequestHeader(Buffer.from(frame));
      const body = Buffer.from(frame.subarray(bodyAt)).toString();
      respond(frame, JSON.stringify({ apiKey, apiVersion, clientId, body }));
    });
    const answers = await Promise.all(
      ['a', 'b'].map((body) => connection.request(HEADER, Buffer.from(body), 1_000)),
    );
    expect(answers.map((each) => JSON.parse(each.toString()))).toEqual(
      ['a', 'b'].map((body) => ({ apiKey: 12, apiVersion: 4, clientId: 'tester', body })),
    );
    expect(clock.nextTimerInMs()).toBeUndefined();
  });

  test('gives its frame away, and leaves the caller its bytes', async () => {
    accepted.on('message', (frame: Uint8Array) => respond(frame, 'ok'));
    const body = Buffer.from('mine');
    await connection.request(HEADER, body, 1_000);
    expect(body.toString()).toBe('mine');
  });

  test('is lost when the other side closes it', async () => {
    const sent = connection.request(HEADER, Buffer.alloc(0), 1_000);
    const refused = expect(sent).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
    accepted.close();
    await refused;
    expect(connection.isOpen).toBe(false);
    await expect(connection.request(HEADER, Buffer.alloc(0), 1_000)).rejects.toMatchObject({
      code: 'KAFKA_RETRIABLE',
    });
  });

  test('is closed, for both sides, when an answer does not come in time', async () => {
    const sent = connection.request(HEADER, Buffer.alloc(0), 1_000);
    const refused = expect(sent).rejects.toThrow(/was not answered within 1000 ms/);
    const closed = once(accepted, 'close');
    await once(accepted, 'message');
    clock.advance(1_000);
    await refused;
    await closed;
  });

  test('is closed by an answer that nobody asked for', async () => {
    const closed = once(accepted, 'close');
    accepted.postMessage(new Uint8Array([0, 0, 0, 99, 0]));
    await closed;
    expect(connection.isOpen).toBe(false);
  });
});

test('connecting to a broker that has stopped is KAFKA_UNAVAILABLE', async () => {
  const closed = once(base, 'close');
  broker.close();
  await closed;
  await expect(connector.connect(ADDRESS, 'test')).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
  });
});
