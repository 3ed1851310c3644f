/** Writes that are not on disk yet, by key, in order of first put. */

/**
 * One write. The layer that holds it owns it: only the active layer changes entries in place.
 * The offsets are set when the layer is frozen and point into that layer's slab.
 */
export interface Entry<K, V> {
  readonly key: K;
  /** undefined = deleted. */
  value: V | undefined;
  timestampMs: number;
  /** The db key; a logged key starts one byte later. */
  keyStart: number;
  keyEnd: number;
  /** End of the db value, which starts at keyEnd; keyEnd itself for a tombstone. */
  end: number;
}

/**
 * A string or number identifies itself; any other key is identified by its encoded bytes as a
 * latin1 string. A store's keys are of one type, so the two never meet.
 */
export type KeyIdentity = string | number;

export type Overlay<K, V> = Map<KeyIdentity, Entry<K, V>>;

export function entryOf<K, V>(key: K, value: V | undefined, timestampMs: number): Entry<K, V> {
  return { key, value, timestampMs, keyStart: 0, keyEnd: 0, end: 0 };
}
