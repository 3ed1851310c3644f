/**
 * What the embedded registry does, apart from HTTP: every write goes to the log and counts only when
 * the fold, having read it back, shows it. A lost race is tried again. Also fulfils the registry
 * port directly, for the app in the same process.
 */
import { MillraceError } from '../../base/errors.ts';
import { parse } from '../avro-serde.ts';
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

  constructor(log: SchemaLog) {
    this.#log = log;
  }

  get state(): RegistryState {
    return this.#state;
  }

  /** Resolves when the log has been read to its end. */
  async start(): Promise<void> {
    await this.#log.start((record) => this.#state.apply(record.key, record.value));
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
    for (let race = 0; race < RACES_MAX; race++) {
      const standing = this.#state.findBySchema(subject, schema);
      if (standing !== undefined) return standing;
      this.#checkWritable(subject);
      const problems = this.checkCompatibility(subject, schema);
      if (problems.length > 0) {
        const detail = `Schema being registered is incompatible with an earlier schema for subject "${subject}"`;
        throw new RegistryError(409, 409, `${detail}; ${problems.join('; ')}`);
      }
      const id = this.#state.idOf(schema) ?? this.#state.nextId();
      await this.#writeVersion({
        subject,
        version: this.#state.nextVersion(subject),
        id,
        schema,
        deleted: false,
      });
      const written = this.#state.findBySchema(subject, schema);
      if (written !== undefined) return written;
    }
    throw new RegistryError(
      500,
      50001,
      'Error in the backend data store: too many registries write at once',
    );
  }

  /** Against the subject's versions at its level, or against one version. */
  checkCompatibility(subject: string, schema: string, against?: SchemaVersion): string[] {
    const candidate = checkSchema(schema);
    const earlier = against === undefined ? this.#state.versions(subject) : [against];
    const level = this.#state.effectiveCompatibility(subject);
    return incompatibilities(
      candidate,
      earlier.map((version) => JSON.parse(version.schema) as AvroSchema),
      level,
    );
  }

  async deleteVersion(version: SchemaVersion, permanently: boolean): Promise<void> {
    this.#checkWritable(version.subject);
    if (!permanently) return this.#writeVersion({ ...version, deleted: true });
    await this.#write(schemaKey(version.subject, version.version), null);
  }

  async deleteSubject(subject: string, permanently: boolean): Promise<number[]> {
    this.#checkWritable(subject);
    const versions = this.#state.versions(subject, permanently);
    if (permanently) {
      for (const { version } of versions) await this.#write(schemaKey(subject, version), null);
    } else {
      const version = versions.at(-1)?.version ?? 0;
      await this.#write({ keytype: 'DELETE_SUBJECT', subject, magic: 0 }, { subject, version });
    }
    return versions.map(({ version }) => version);
  }

  async setCompatibility(subject: string, level: CompatibilityLevel | undefined): Promise<void> {
    await this.#write(
      { keytype: 'CONFIG', subject: subject === '' ? null : subject, magic: 0 },
      level === undefined ? null : { compatibilityLevel: level },
    );
  }

  async setMode(subject: string, mode: Mode | undefined): Promise<void> {
    await this.#write(
      { keytype: 'MODE', subject: subject === '' ? null : subject, magic: 0 },
      mode === undefined ? null : { mode },
    );
  }

  #checkWritable(subject: string): void {
    const mode = this.#state.effectiveMode(subject);
    if (mode.startsWith('READONLY'))
      throw new RegistryError(422, 42205, `Subject ${subject} is in read-only mode`);
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

function schemaKey(subject: string, version: number): object {
  return { keytype: 'SCHEMA', subject, version, magic: 1 };
}

/** Throws 42201 when the text is not an Avro schema. */
function checkSchema(schema: string): AvroSchema {
  try {
    const parsed = JSON.parse(schema) as AvroSchema;
    parse(parsed);
    return parsed;
  } catch (error) {
    const cause = error instanceof MillraceError ? error.cause : error;
    throw new RegistryError(
      422,
      42201,
      `Invalid schema ${schema.slice(0, 200)}: ${(cause as Error).message}`,
    );
  }
}
