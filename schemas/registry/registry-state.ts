/**
 * The registry's content as a fold over its log, in the record format of Confluent's registry.
 *
 * R1. The log decides: of two records that claim the same version or the same id for another
 *     schema, the first stands and the second has no effect. So several registries may share a log.
 * R2. An id belongs to one schema. Deleting versions does not free it; only a permanent delete of
 *     its last use does, once compaction has removed the records and a registry has read the log anew.
 * R3. Compaction keeps the LAST record of a key: a key whose last record has no effect is listed in
 *     `shadowed()` until somebody writes the standing one again behind it.
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
  /** Keys whose last record in the log has no effect, with what it claimed. */
  readonly #shadowed = new Map<string, SchemaVersion>();
  #highestId = 0;

  /** One record of the log. Records that are not understood are passed over. */
  apply(keyText: string, valueText: string | null): void {
    const key = parseObject(keyText);
    const value = valueText === null ? null : parseObject(valueText);
    if (key === undefined || value === undefined) return;
    const subject = typeof key['subject'] === 'string' ? key['subject'] : '';
    switch (key['keytype']) {
      case 'SCHEMA':
        this.#applySchema(keyText, subject, Number(key['version']), value);
        break;
      case 'DELETE_SUBJECT':
        this.#applyDeleteSubject(subject, value);
        break;
      case 'CONFIG':
        setOrDelete(
          this.#compatibility,
          subject,
          value?.['compatibilityLevel'],
          COMPATIBILITY_LEVELS,
        );
        break;
      case 'MODE':
        setOrDelete(this.#modes, subject, value?.['mode'], MODES);
        break;
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

  /** Claims that lost (R3), oldest first: the record each made without effect. */
  shadowed(): readonly SchemaVersion[] {
    return [...this.#shadowed.values()];
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

  #applySchema(
    key: string,
    subject: string,
    version: number,
    value: Record<string, unknown> | null,
  ): void {
    this.#shadowed.delete(key);
    const versions = this.#subjects.get(subject) ?? new Map<number, SchemaVersion>();
    if (value === null) {
      versions.delete(version);
      return;
    }
    const { id, schema, schemaType = 'AVRO' } = value;
    if (typeof id !== 'number' || typeof schema !== 'string') return;
    // Whatever is registered under it, an id that somebody gave away is taken.
    this.#highestId = Math.max(this.#highestId, id);
    if (schemaType !== 'AVRO' || parseJson(schema) === undefined) return;
    const claim = { subject, version, id, schema, deleted: value['deleted'] === true };
    const identity = identityOf(schema);
    if (!this.#mayStand(claim, identity, versions.get(version))) {
      this.#shadowed.set(key, claim);
      return;
    }
    if (!this.#textById.has(id)) this.#textById.set(id, schema);
    if (!this.#idByIdentity.has(identity)) this.#idByIdentity.set(identity, id);
    versions.set(version, claim);
    this.#subjects.set(subject, versions);
  }

  /** R1: neither the id nor the version belongs to another schema, nor the version to another id. */
  #mayStand(claim: SchemaVersion, identity: string, standing: SchemaVersion | undefined): boolean {
    const textOfId = this.#textById.get(claim.id);
    if (textOfId !== undefined && identityOf(textOfId) !== identity) return false;
    if (standing === undefined) return true;
    return standing.id === claim.id && identityOf(standing.schema) === identity;
  }

  #applyDeleteSubject(subject: string, value: Record<string, unknown> | null): void {
    if (value === null) return;
    const upTo = Number(value['version']);
    for (const [number, version] of this.#subjects.get(subject) ?? []) {
      if (number <= upTo) this.#subjects.get(subject)?.set(number, { ...version, deleted: true });
    }
  }
}

/** Two texts with the same identity are the same schema: layout and order of attributes do not count. Throws for what is not JSON. */
export function identityOf(schema: string): string {
  return JSON.stringify(sorted(JSON.parse(schema)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  // { "type": "string" } is how some clients say "string".
  if ('type' in value && Object.keys(value).length === 1) return sorted(value.type);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const value = parseJson(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
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
