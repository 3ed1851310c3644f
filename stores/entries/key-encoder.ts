/** Encodes keys of one store into a scratch buffer, the store's id byte in front. */
import type { Serde } from '../../schemas/serde.ts';
import type { BytesRange } from '../bytes-store.ts';
import type { RangeOptions } from '../state-store.ts';
import { Slab } from './slab.ts';

export class KeyEncoder<K> {
  readonly #serde: Serde<K>;
  readonly #storeId: number;
  readonly #scratch = new Slab(256);
  /** What is in the scratch: a key is often read and then written. */
  #last: K | undefined;

  constructor(storeId: number, serde: Serde<K>) {
    this.#storeId = storeId;
    this.#serde = serde;
  }

  /** The db key, valid until the next call. */
  encode(key: K): Buffer {
    const { buffer, end } = this.encodeToScratch(key);
    return buffer.subarray(0, end);
  }

  /** As encode(), without a Buffer of its own: from 0 to `end`. */
  encodeToScratch(key: K): { readonly buffer: Buffer; readonly end: number } {
    const scratch = this.#scratch;
    // Objects are encoded each time: they might have been changed.
    if (typeof key === 'string' && key === this.#last) return scratch;
    this.#last = undefined;
    scratch.end = 0;
    scratch.appendByte(this.#storeId);
    scratch.append(this.#serde, key);
    this.#last = key;
    return scratch;
  }

  /** The key's own bytes, without the store id, as a string that orders like them. */
  latin1(key: K): string {
    const bytes = this.encode(key);
    return bytes.toString('latin1', 1);
  }

  decode(dbKey: Buffer): K {
    return this.#serde.decode(dbKey, 1, dbKey.length);
  }

  /** The db range that holds exactly the keys that the options ask for. */
  range(options: RangeOptions<K>): BytesRange {
    const prefix = this.#prefixed(options.prefix ?? EMPTY);
    let gte = prefix;
    let lt = successorOfPrefix(prefix);
    if (options.from !== undefined) {
      const from = Buffer.from(this.encode(options.from));
      if (from.compare(gte) > 0) gte = from;
    }
    if (options.to !== undefined) {
      const afterTo = Buffer.concat([this.encode(options.to), ZERO]);
      if (afterTo.compare(lt) < 0) lt = afterTo;
    }
    return { gte, lt, reverse: options.reverse ?? false };
  }

  #prefixed(bytes: Buffer): Buffer {
    return Buffer.concat([Buffer.of(this.#storeId), bytes]);
  }
}

const EMPTY = Buffer.alloc(0);
const ZERO = Buffer.alloc(1);

/** The first key above all that start with the prefix. Store ids end at 254: there is always one. */
function successorOfPrefix(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (prefix[length - 1] === 0xff) length--;
  const successor = Buffer.from(prefix.subarray(0, length));
  successor[length - 1]!++;
  return successor;
}
