/** FNV-1a over words: of all that has happened in a run, in order. */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

const NUMBER = new Float64Array(1);
const WORDS = new Int32Array(NUMBER.buffer);

export function hashOf(text: string, from: number = OFFSET_BASIS): number {
  let hash = from;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME);
  return hash;
}

export class TraceHash {
  #hash = OFFSET_BASIS;

  addNumber(value: number): void {
    NUMBER[0] = value;
    this.addWord(WORDS[0]!);
    this.addWord(WORDS[1]!);
  }

  addWord(word: number): void {
    this.#hash = Math.imul(this.#hash ^ word, PRIME);
  }

  addText(text: string): void {
    this.#hash = hashOf(text, this.#hash);
  }

  toString(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
