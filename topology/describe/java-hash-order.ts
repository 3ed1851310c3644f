/**
 * The order in which Java's HashSet and HashMap walk strings. Kafka's describe() prints sets in that
 * order, so a byte-equal text needs it; nothing else may depend on it.
 */

const CAPACITY_INITIAL = 16;
const LOAD_FACTOR = 0.75;

/** Distinct names in the order of a Java HashSet to which they were added in the given order. */
export function javaHashOrder(names: Iterable<string>): readonly string[] {
  const distinct = [...new Set(names)];
  let capacity = CAPACITY_INITIAL;
  while (distinct.length > capacity * LOAD_FACTOR) capacity *= 2;
  const bucket = (name: string) => spread(javaHashCode(name)) & (capacity - 1);
  // Stable: names of one bucket stay in the order in which they were added.
  return distinct.sort((a, b) => bucket(a) - bucket(b));
}

/** String.hashCode() as a signed 32-bit integer. */
function javaHashCode(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

function spread(hash: number): number {
  return hash ^ (hash >>> 16);
}
