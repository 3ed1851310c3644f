/** The part of snappyjs that we use; the package brings no types. */
declare module 'snappyjs' {
  export function compress(bytes: Buffer): Buffer;
  /** Throws when the input is not snappy or says that it unfolds to more than `lengthMax`. */
  export function uncompress(bytes: Buffer, lengthMax?: number): Buffer;
}
