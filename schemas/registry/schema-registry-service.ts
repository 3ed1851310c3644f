/**
 * What the embedded registry does, apart from HTTP: every write goes to the log and counts only when
 * the fold, having read it back, shows it. A race that another registry on the log won is mended
 * (the record that lost must not be the last of its key) and tried again. Also fulfils the registry
 * port directly, for the app in the same process.
 */
import { MillraceError } from '../../base/errors.ts';
import { parseSchema } from '../avro-types.ts';
import type { AvroSchema, SchemaRegistry } from '../schema-registry.ts';
import { incompatibilities } from './compatibility.ts';
import {
  type CompatibilityLevel,
  type Mode,
  RegistryState,
  type SchemaVersion,
} from './registry-state.ts';
import type { SchemaLog } from './schema-log.ts';

const RACES_MAX = 20;

/** An error in Confluent's terms. */
export class RegistryError extends Error {
  readonly status: number;
  readonly errorCode: number;
  constructor(status: number, errorCode: number, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

export class SchemaRegistryService implements SchemaRegistry {
  readonly #log: SchemaLog;
  readonly #state = new RegistryState();
  /** Ends when the last write that was begun here has ended: our own writes do not race. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(log: SchemaLog) {
    this.#log = log;
  }

  get state(): RegistryState {
    return this.#state;
  }

  /** Resolves when the log has been read to its end, and races that a dead registry lost are mended. */
  async start(): Promise<void> {
    await this.#log.start((record) => this.#state.apply(record.key, record.value));
    await this.#inTurn(() => this.#mend());
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  // ── The port, for the same process ──

  async register(subject: string, schema: AvroSchema): Promise<number> {
    try {
      return (await this.registerText(subject, JSON.stringify(schema))).id;
    } catch (cause) {
      if (!(cause instanceof RegistryError)) throw cause;
      if (cause.status >= 500) {
        const message = `${subject}: ${cause.message}`;
        throw new MillraceError('SCHEMA_REGISTRY_UNAVAILABLE', message, { cause });
      }
      throw new MillraceError('SCHEMA_INCOMPATIBLE', `${subject}: ${cause.message}`, {
        cause,
        hint: 'Change the schema compatibly, or the compatibility level of the subject.',
      });
    }
  }

  async schemaById(id: number): Promise<AvroSchema> {
    const text = this.#state.schemaById(id);
    if (text === undefined) throw new MillraceError('SCHEMA_UNKNOWN', `no schema has the id ${id}`);
    return JSON.parse(text) as AvroSchema;
  }

  // ── Confluent's operations ──

  async registerText(subject: string, schema: string): Promise<SchemaVersion> {
    checkSchema(schema);
    return this.#inTurn(async () => {
      for (let race = 0; race < RACES_MAX; race++) {
        const standing = this.#state.findBySchema(subject, schema);
        if (standing !== undefined) return standing;
        this.#checkWritable(subject);
        this.#mustFollow(subject, schema);
        const id = this.#state.idOf(schema) ?? this.#state.nextId();
        const version = this.#state.nextVersion(subject);
        await this.#writeVersion({ subject, version, id, schema, deleted: false });
        await this.#mend();
      }
      throw new RegistryError(500, 50001, 'Too many registries write to this log at once');
    });
  }

  #mustFollow(subject: string, schema: string): void {
    const problems = this.checkCompatibility(subject, schema);
    if (problems.length === 0) return;
    const what = `Schema being registered is incompatible with an earlier schema for subject "${subject}"`;
    throw new RegistryError(409, 409, `${what}, details: [${problems.join('; ')}]`);
  }

  find(subject: string, schema: string, withDeleted: boolean): SchemaVersion | undefined {
    checkSchema(schema);
    return this.#state.findBySchema(subject, schema, withDeleted);
  }

  /** Against the subject's versions at its level, or against one version. */
  checkCompatibility(subject: string, schema: string, against?: SchemaVersion): string[] {
    const candidate = checkSchema(schema);
    const versions = against === undefined ? this.#state.versions(subject) : [against];
    const earlier = versions.map((version) => JSON.parse(version.schema) as AvroSchema);
    return incompatibilities(candidate, earlier, this.#state.effectiveCompatibility(subject));
  }

  async deleteVersion(version: SchemaVersion, permanently: boolean): Promise<void> {
    this.#checkWritable(version.subject);
    return this.#inTurn(() =>
      permanently
        ? this.#write(schemaKey(version.subject, version.version), null)
        : this.#writeVersion({ ...version, deleted: true }),
    );
  }

  /** Resolves with the numbers of the versions that are gone. */
  async deleteSubject(subject: string, permanently: boolean): Promise<number[]> {
    this.#checkWritable(subject);
    return this.#inTurn(async () => {
      const numbers = this.#state.versions(subject, permanently).map(({ version }) => version);
      if (permanently) {
        for (const version of numbers) await this.#write(schemaKey(subject, version), null);
      } else {
        const key = { keytype: 'DELETE_SUBJECT', subject, magic: 0 };
        await this.#write(key, { subject, version: numbers.at(-1) ?? 0 });
      }
      return numbers;
    });
  }

  /** `''` = globally; undefined = back to the default. */
  setCompatibility(subject: string, level: CompatibilityLevel | undefined): Promise<void> {
    const value = level === undefined ? null : { compatibilityLevel: level };
    return this.#inTurn(() => this.#write(settingKey('CONFIG', subject), value));
  }

  /** `''` = globally; undefined = back to the default. */
  setMode(subject: string, mode: Mode | undefined): Promise<void> {
    const value = mode === undefined ? null : { mode };
    return this.#inTurn(() => this.#write(settingKey('MODE', subject), value));
  }

  #checkWritable(subject: string): void {
    const mode = this.#state.effectiveMode(subject);
    if (!mode.startsWith('READONLY')) return;
    throw new RegistryError(422, 42205, `Subject ${subject} is in read-only mode`);
  }

  /**
   * For each key whose last record lost: writes what stands there behind it, or, when nothing does
   * (its id was somebody else's), carries the registration through under a free id.
   */
  async #mend(): Promise<void> {
    for (let race = 0; race < RACES_MAX; race++) {
      const claim = this.#state.shadowed()[0];
      if (claim === undefined) return;
      const { subject, version, schema } = claim;
      const id = this.#state.idOf(schema) ?? this.#state.nextId();
      await this.#writeVersion(this.#state.version(subject, version, true) ?? { ...claim, id });
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(work);
    this.#lastWrite = result.catch(() => {});
    return result;
  }

  #writeVersion({ subject, version, id, schema, deleted }: SchemaVersion): Promise<void> {
    return this.#write(schemaKey(subject, version), { subject, version, id, schema, deleted });
  }

  async #write(key: object, value: object | null): Promise<void> {
    try {
      const offset = await this.#log.append(
        JSON.stringify(key),
        value === null ? null : JSON.stringify(value),
      );
      await this.#log.readUpTo(offset);
    } catch (cause) {
      const detail = `Error in the backend data store: ${(cause as Error).message}`;
      throw new RegistryError(500, 50001, detail);
    }
  }
}

function settingKey(keytype: 'CONFIG' | 'MODE', subject: string): object {
  return { keytype, subject: subject === '' ? null : subject, magic: 0 };
}

/** The order of the members is part of the key's bytes: it is Confluent's. */
function schemaKey(subject: string, version: number): object {
  return { keytype: 'SCHEMA', subject, version, magic: 1 };
}

/** Throws 42201 when the text is not an Avro schema. */
function checkSchema(schema: string): AvroSchema {
  try {
    const parsed = JSON.parse(schema) as AvroSchema;
    parseSchema(parsed);
    return parsed;
  } catch (error) {
    const why = (error as Error).message;
    throw new RegistryError(422, 42201, `Invalid schema ${schema.slice(0, 200)}, details: ${why}`);
  }
}
