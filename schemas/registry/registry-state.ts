/**
 * The registry's content as a fold over its log, in the record format of Confluent's registry.
 *
 * R1. The log decides: of two records that claim the same version or the same id for another
 *     schema, the first stands and the second has no effect. So several registries may share a log.
 * R2. An id belongs to a schema for ever, even after all its versions are deleted.
 */
export const COMPATIBILITY_LEVELS = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const;
export type CompatibilityLevel = (typeof COMPATIBILITY_LEVELS)[number];

export const MODES = ['READWRITE', 'READONLY', 'READONLY_OVERRIDE', 'IMPORT'] as const;
export type Mode = (typeof MODES)[number];

export interface SchemaVersion {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  /** Schema text as it was registered. */
  readonly schema: string;
  readonly deleted: boolean;
}

export class RegistryState {
  readonly #subjects = new Map<string, Map<number, SchemaVersion>>();
  readonly #textById = new Map<number, string>();
  readonly #idByIdentity = new Map<string, number>();
  readonly #compatibility = new Map<string, CompatibilityLevel>();
  readonly #modes = new Map<string, Mode>();
  #highestId = 0;

  /** One record of the log. Records that are not understood are passed over. */
  apply(keyText: string, valueText: string | null): void {
    const key = parseObject(keyText);
    const value = valueText === null ? null : parseObject(valueText);
    if (key === undefined || value === undefined) return;
    const subject = typeof key['subject'] === 'string' ? key['subject'] : '';
    switch (key['keytype']) {
      case 'SCHEMA':
        return this.#applySchema(subject, Number(key['version']), value);
      case 'DELETE_SUBJECT':
        return this.#applyDeleteSubject(subject, value);
      case 'CONFIG':
        return setOrDelete(
          this.#compatibility,
          subject,
          value?.['compatibilityLevel'],
          COMPATIBILITY_LEVELS,
        );
      case 'MODE':
        return setOrDelete(this.#modes, subject, value?.['mode'], MODES);
    }
  }

  subjects(withDeleted = false): string[] {
    return [...this.#subjects.keys()]
      .filter((subject) => this.versions(subject, withDeleted).length > 0)
      .sort();
  }

  versions(subject: string, withDeleted = false): SchemaVersion[] {
    const versions = [...(this.#subjects.get(subject)?.values() ?? [])];
    return versions
      .filter(({ deleted }) => withDeleted || !deleted)
      .sort((a, b) => a.version - b.version);
  }

  version(subject: string, version: number, withDeleted = false): SchemaVersion | undefined {
    const found = this.#subjects.get(subject)?.get(version);
    return found === undefined || (found.deleted && !withDeleted) ? undefined : found;
  }

  findBySchema(subject: string, schema: string, withDeleted = false): SchemaVersion | undefined {
    const identity = identityOf(schema);
    return this.versions(subject, withDeleted).find(
      (version) => identityOf(version.schema) === identity,
    );
  }

  schemaById(id: number): string | undefined {
    return this.#textById.get(id);
  }

  idOf(schema: string): number | undefined {
    return this.#idByIdentity.get(identityOf(schema));
  }

  usesOf(id: number, withDeleted = false): SchemaVersion[] {
    return this.subjects(withDeleted).flatMap((subject) =>
      this.versions(subject, withDeleted).filter((version) => version.id === id),
    );
  }

  nextId(): number {
    return this.#highestId + 1;
  }

  nextVersion(subject: string): number {
    return Math.max(0, ...this.versions(subject, true).map(({ version }) => version)) + 1;
  }

  /** `''` is the global level. */
  compatibilityOf(subject: string): CompatibilityLevel | undefined {
    return this.#compatibility.get(subject);
  }

  effectiveCompatibility(subject: string): CompatibilityLevel {
    return this.#compatibility.get(subject) ?? this.#compatibility.get('') ?? 'BACKWARD';
  }

  modeOf(subject: string): Mode | undefined {
    return this.#modes.get(subject);
  }

  effectiveMode(subject: string): Mode {
    return this.#modes.get(subject) ?? this.#modes.get('') ?? 'READWRITE';
  }

  #applySchema(subject: string, version: number, value: Record<string, unknown> | null): void {
    const versions = this.#subjects.get(subject) ?? new Map<number, SchemaVersion>();
    if (value === null) return void versions.delete(version);
    const { id, schema } = value;
    if (typeof id !== 'number' || typeof schema !== 'string') return;
    const identity = identityOf(schema);
    const known = this.#textById.get(id);
    if (known !== undefined && identityOf(known) !== identity) return;
    const standing = versions.get(version);
    if (standing !== undefined && identityOf(standing.schema) !== identity) return;
    const knownId = this.#idByIdentity.get(identity);
    if (knownId !== undefined && knownId !== id) return;
    this.#textById.set(id, known ?? schema);
    this.#idByIdentity.set(identity, id);
    this.#highestId = Math.max(this.#highestId, id);
    versions.set(version, { subject, version, id, schema, deleted: value['deleted'] === true });
    this.#subjects.set(subject, versions);
  }

  #applyDeleteSubject(subject: string, value: Record<string, unknown> | null): void {
    if (value === null) return;
    const upTo = Number(value['version']);
    for (const [number, version] of this.#subjects.get(subject) ?? []) {
      if (number <= upTo) this.#subjects.get(subject)?.set(number, { ...version, deleted: true });
    }
  }
}

/** Two texts with the same identity are the same schema: layout and order of attributes do not count. */
export function identityOf(schema: string): string {
  return JSON.stringify(sorted(JSON.parse(schema)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function setOrDelete<T extends string>(
  target: Map<string, T>,
  subject: string,
  value: unknown,
  allowed: readonly T[],
): void {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) target.delete(subject);
  else target.set(subject, found);
}
