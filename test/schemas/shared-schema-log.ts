/** One ordered log in memory that several registries share, each reading at its own pace. */
import type { SchemaLog, SchemaLogRecord } from '../../schemas/registry/schema-log.ts';

export interface LogHooks {
  readonly beforeAppend?: () => Promise<void>;
  readonly afterAppend?: () => Promise<void>;
}

export class SharedSchemaLog {
  #records: SchemaLogRecord[] = [];

  get records(): readonly SchemaLogRecord[] {
    return this.#records;
  }

  /** The hooks decide when a record enters the log, and whether its writer hears of it. */
  open({
    beforeAppend = async () => {},
    afterAppend = async () => {},
  }: LogHooks = {}): SchemaLog & { readAll(): void } {
    let listener: (record: SchemaLogRecord) => void = () => {};
    let position = 0;
    const readUpTo = (offset: number) => {
      for (const record of this.#records) {
        if (record.offset < position || record.offset > offset) continue;
        listener(record);
        position = record.offset + 1;
      }
    };
    return {
      append: async (key, value) => {
        await beforeAppend();
        const offset = this.#append(key, value);
        await afterAppend();
        return offset;
      },
      readUpTo: async (offset) => readUpTo(offset),
      readAll: () => readUpTo(Number.POSITIVE_INFINITY),
      start: async (onRecord) => {
        listener = onRecord;
        readUpTo(Number.POSITIVE_INFINITY);
      },
      close: async () => {},
    };
  }

  /** What the log's cleaner leaves: the last record of each key, without tombstones. */
  compact(): void {
    const last = new Map(this.#records.map((record) => [record.key, record]));
    this.#records = [...last.values()]
      .filter(({ value }) => value !== null)
      .sort((a, b) => a.offset - b.offset);
  }

  #append(key: string, value: string | null): number {
    const offset = (this.#records.at(-1)?.offset ?? -1) + 1;
    this.#records.push({ offset, key, value });
    return offset;
  }
}
