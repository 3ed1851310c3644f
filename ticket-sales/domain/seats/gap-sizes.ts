/**
 * Sizes of gaps, that is, of runs of free seats, in 31 classes, so that one word says which sizes a row
 * (or a block of rows) has. Up to 24 seats each size is a class of its own; above, a class is 25 to 31,
 * then 32 to 63, and so on by doubling, and the last is 1,024 and more.
 */
export const SIZE_CLASSES = 31;
/** Gaps up to this size are told apart. */
export const EXACT_MAX = 24;
/** Class of 32 to 63, whose logarithm is 5. */
const DOUBLING_OFFSET = 20;

export function sizeClass(size: number): number {
  if (size <= EXACT_MAX) return size - 1;
  if (size < 32) return EXACT_MAX;
  return Math.min(31 - Math.clz32(size) + DOUBLING_OFFSET, SIZE_CLASSES - 1);
}

/** The word that says: a gap of this size. */
export function sizeBit(size: number): number {
  return 1 << sizeClass(size);
}

/** The classes of a word from this one up. */
export function classesFrom(sizes: number, from: number): number {
  return from >= SIZE_CLASSES ? 0 : sizes & (-1 << from);
}

/** The smallest class of a word that is not 0. */
export function smallestClass(sizes: number): number {
  return 31 - Math.clz32(sizes & -sizes);
}
