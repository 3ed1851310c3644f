/** Where the embedded registry keeps its records: one ordered, durable log (the topic `_schemas`). */
export interface SchemaLogRecord {
  readonly offset: number;
  readonly key: string;
  /** null = tombstone. */
  readonly value: string | null;
}

export interface SchemaLog {
  /** Appends durably; resolves with the record's offset. */
  append(key: string, value: string | null): Promise<number>;
  /** Resolves when every record up to and including this offset has been handed to the listener. */
  readUpTo(offset: number): Promise<void>;
  /** Hands over everything, from the first record on, in order; resolves when today's end is reached. */
  start(listener: (record: SchemaLogRecord) => void): Promise<void>;
  close(): Promise<void>;
}
