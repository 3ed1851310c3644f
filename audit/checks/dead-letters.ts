/**
 * I21: dead letters against the commands they came from. Read before the commands, and kept as
 * coordinates and digests until their command comes by: memory by number of dead letters.
 */
import { createHash } from 'node:crypto';
import type { RecordCursor } from '../../kafka/records/types.ts';
import type { Findings } from '../findings.ts';
import type { CommittedLog } from '../log/committed-log.ts';

interface DeadLetter {
  readonly offset: number;
  /** undefined = cut, because it was too long to keep. */
  readonly digest: string | undefined;
}

const COORDINATE = '__streams.errors.';
const TRUNCATED = ['millrace.dlq.key.truncated', 'millrace.dlq.value.truncated'];

/** The dead letters of one input partition. */
export class DeadLetters {
  readonly #findings: Findings;
  readonly #log: CommittedLog;
  readonly #inputTopic: string;
  readonly #letters = new Map<number, DeadLetter>();
  readonly #blamed = new Set<number>();

  constructor(findings: Findings, log: CommittedLog, inputTopic: string) {
    this.#findings = findings;
    this.#log = log;
    this.#inputTopic = inputTopic;
  }

  async readAll(): Promise<void> {
    await this.#log.read((record) => {
      this.#keep(record);
      return 'next';
    });
  }

  has(inputOffset: number): boolean {
    return this.#letters.has(inputOffset);
  }

  /** True, once, when there is one for this input: whoever asks has blamed it. */
  take(inputOffset: number): boolean {
    if (!this.#letters.has(inputOffset) || this.#blamed.has(inputOffset)) return false;
    this.#blamed.add(inputOffset);
    return true;
  }

  /** Whether there is one for this input, and with its bytes. */
  look(record: RecordCursor): 'none' | 'same' | 'different' {
    const letter = this.#letters.get(record.offset);
    if (letter === undefined) return 'none';
    this.#findings.checked('I21');
    return letter.digest === undefined || letter.digest === digestOf(record) ? 'same' : 'different';
  }

  placeOf(inputOffset: number): string {
    return this.#log.placeOf(this.#letters.get(inputOffset)?.offset ?? -1);
  }

  /** The command at this offset belongs with the dead letters: is it there, and whole? */
  expect(record: RecordCursor, why: string, commandPlace: string): void {
    const letter = this.#letters.get(record.offset);
    if (letter === undefined) {
      const what = `the command has neither outcome nor dead letter (${why})`;
      this.#findings.violated('I7', commandPlace, what);
      return;
    }
    this.#findings.checked('I7');
    this.#findings.checked('I21');
    this.#findings.checked('I22');
    if (letter.digest === undefined || letter.digest === digestOf(record)) return;
    this.#findings.violated('I21', this.placeOf(record.offset), 'not the bytes of its command');
  }

  /** `endOffset`: of the consumed commands. */
  end(isCommand: (inputOffset: number) => boolean): void {
    for (const [inputOffset, { offset }] of this.#letters) {
      if (isCommand(inputOffset)) continue;
      const what = `it names offset ${inputOffset}, where no consumed command is`;
      this.#findings.violated('I21', this.#log.placeOf(offset), what);
    }
  }

  #keep(record: RecordCursor): void {
    const { offset } = record;
    const place = this.#log.placeOf(offset);
    const headers = new Map(record.headers().map(({ key, value }) => [key, value?.toString()]));
    const inputOffset = Number(headers.get(`${COORDINATE}offset`) ?? Number.NaN);
    const isOurs =
      headers.get(`${COORDINATE}topic`) === this.#inputTopic &&
      Number(headers.get(`${COORDINATE}partition`)) === this.#log.partition;
    if (!isOurs || !Number.isInteger(inputOffset)) {
      this.#findings.violated('I21', place, 'it does not say which command it was');
      return;
    }
    if (this.#letters.has(inputOffset)) {
      this.#findings.violated('I21', place, `a second dead letter of offset ${inputOffset}`);
      return;
    }
    const isCut = TRUNCATED.some((name) => headers.has(name));
    this.#letters.set(inputOffset, { offset, digest: isCut ? undefined : digestOf(record) });
  }
}

function digestOf({ buffer, keyStart, keyEnd, valueStart, valueEnd }: RecordCursor): string {
  const hash = createHash('sha256').update(`${keyEnd - keyStart} ${valueStart < 0} `);
  if (keyStart >= 0) hash.update(buffer.subarray(keyStart, keyEnd));
  if (valueStart >= 0) hash.update(buffer.subarray(valueStart, valueEnd));
  return hash.digest('base64');
}
