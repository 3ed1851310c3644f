/**
 * The operations of Confluent's registry API: methods and paths, what each takes and answers, and
 * which of Confluent's error codes it refuses with.
 */
import {
  COMPATIBILITY_LEVELS,
  type CompatibilityLevel,
  MODES,
  type Mode,
  type SchemaVersion,
} from './registry-state.ts';
import { RegistryError, type SchemaRegistryService } from './schema-registry-service.ts';

export interface Call {
  /** What stands for each `*` of the path. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Operation = readonly [
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  handle: (service: SchemaRegistryService, call: Call) => unknown,
];

/** `*` = one variable part. */
export const OPERATIONS: readonly Operation[] = [
  ['GET', '/', () => ({})],
  ['GET', '/subjects', listSubjects],
  ['POST', '/subjects/*', lookUp],
  ['DELETE', '/subjects/*', deleteSubject],
  ['GET', '/subjects/*/versions', listVersions],
  ['POST', '/subjects/*/versions', register],
  ['GET', '/subjects/*/versions/*', getVersion],
  ['DELETE', '/subjects/*/versions/*', deleteVersion],
  ['GET', '/subjects/*/versions/*/schema', (service, call) => parsed(wantedVersion(service, call))],
  ['GET', '/subjects/*/versions/*/referencedby', referencedBy],
  ['GET', '/schemas', listSchemas],
  ['GET', '/schemas/types', () => ['AVRO']],
  ['GET', '/schemas/ids/*', (service, { parts }) => ({ schema: textOf(service, parts[0]!) })],
  ['GET', '/schemas/ids/*/schema', (service, { parts }) => JSON.parse(textOf(service, parts[0]!))],
  ['GET', '/schemas/ids/*/subjects', listUsingSubjects],
  ['GET', '/schemas/ids/*/versions', listUses],
  ['POST', '/compatibility/subjects/*/versions', checkAgainstLevel],
  ['POST', '/compatibility/subjects/*/versions/*', checkAgainstVersion],
  ['GET', '/config', getGlobalLevel],
  ['PUT', '/config', (service, { body }) => putLevel(service, '', body)],
  ['DELETE', '/config', (service) => deleteLevel(service, '')],
  ['GET', '/config/*', getLevel],
  ['PUT', '/config/*', (service, { parts, body }) => putLevel(service, parts[0]!, body)],
  ['DELETE', '/config/*', (service, { parts }) => deleteLevel(service, parts[0]!)],
  ['GET', '/mode', (service) => ({ mode: service.state.effectiveMode('') })],
  ['PUT', '/mode', (service, { body }) => putMode(service, '', body)],
  ['GET', '/mode/*', getMode],
  ['PUT', '/mode/*', (service, { parts, body }) => putMode(service, parts[0]!, body)],
  ['DELETE', '/mode/*', (service, { parts }) => deleteMode(service, parts[0]!)],
  ['GET', '/contexts', () => ['.']],
  ['GET', '/v1/metadata/id', () => ({ scope: { path: [], clusters: {} }, id: '' })],
];

// ── Subjects ──

function listSubjects(service: SchemaRegistryService, { query }: Call): string[] {
  const prefix = query.get('subjectPrefix') ?? '';
  const { state } = service;
  const live = state.subjects();
  const wanted = isTrue(query, 'deletedOnly')
    ? state.subjects(true).filter((subject) => !live.includes(subject))
    : state.subjects(isTrue(query, 'deleted'));
  return wanted.filter((subject) => subject.startsWith(prefix));
}

function lookUp(service: SchemaRegistryService, { parts, query, body }: Call): object {
  const subject = parts[0]!;
  knownVersions(service, subject, true);
  const found = service.find(subject, schemaOf(body), isTrue(query, 'deleted'));
  if (found === undefined) throw new RegistryError(404, 40403, 'Schema not found');
  return versionView(found);
}

async function deleteSubject(
  service: SchemaRegistryService,
  { parts, query }: Call,
): Promise<number[]> {
  const subject = parts[0]!;
  const permanently = isTrue(query, 'permanent');
  const isLive = service.state.versions(subject).length > 0;
  knownVersions(service, subject, true);
  if (permanently && isLive) {
    const message = `Subject '${subject}' was not deleted first before being permanently deleted`;
    throw new RegistryError(404, 40405, message);
  }
  if (!permanently && !isLive) {
    const message = `Subject '${subject}' was soft deleted. Set permanent=true to delete permanently`;
    throw new RegistryError(404, 40404, message);
  }
  return service.deleteSubject(subject, permanently);
}

// ── Versions ──

function listVersions(service: SchemaRegistryService, { parts, query }: Call): number[] {
  const versions = knownVersions(service, parts[0]!, isTrue(query, 'deleted'));
  return versions.map(({ version }) => version);
}

async function register(service: SchemaRegistryService, { parts, body }: Call): Promise<object> {
  const { id } = await service.registerText(parts[0]!, schemaOf(body));
  return { id };
}

function getVersion(service: SchemaRegistryService, call: Call): object {
  return versionView(wantedVersion(service, call));
}

function referencedBy(service: SchemaRegistryService, call: Call): number[] {
  wantedVersion(service, call);
  return [];
}

async function deleteVersion(
  service: SchemaRegistryService,
  { parts, query }: Call,
): Promise<number> {
  const permanently = isTrue(query, 'permanent');
  const found = versionOf(service, parts[0]!, parts[1]!, permanently || !isLatest(parts[1]!));
  const what = `Subject '${found.subject}' Version ${found.version}`;
  if (permanently && !found.deleted) {
    const message = `${what} was not deleted first before being permanently deleted`;
    throw new RegistryError(404, 40407, message);
  }
  if (!permanently && found.deleted) {
    const message = `${what} was soft deleted. Set permanent=true to delete permanently`;
    throw new RegistryError(404, 40406, message);
  }
  await service.deleteVersion(found, permanently);
  return found.version;
}

// ── Schemas by id ──

function listSchemas(service: SchemaRegistryService, { query }: Call): object[] {
  const withDeleted = isTrue(query, 'deleted');
  const prefix = query.get('subjectPrefix') ?? '';
  return service.state
    .subjects(withDeleted)
    .filter((subject) => subject.startsWith(prefix))
    .flatMap((subject) => {
      const versions = service.state.versions(subject, withDeleted);
      return isTrue(query, 'latestOnly') ? versions.slice(-1) : versions;
    })
    .map(versionView);
}

function listUsingSubjects(service: SchemaRegistryService, call: Call): string[] {
  return [...new Set(usesOf(service, call).map(({ subject }) => subject))];
}

function listUses(service: SchemaRegistryService, call: Call): object[] {
  return usesOf(service, call).map(({ subject, version }) => ({ subject, version }));
}

function usesOf(service: SchemaRegistryService, { parts, query }: Call): SchemaVersion[] {
  textOf(service, parts[0]!);
  return service.state.usesOf(Number(parts[0]), isTrue(query, 'deleted'));
}

function textOf(service: SchemaRegistryService, id: string): string {
  const text = /^\d{1,10}$/.test(id) ? service.state.schemaById(Number(id)) : undefined;
  if (text === undefined) throw new RegistryError(404, 40403, `Schema ${id} not found`);
  return text;
}

// ── Compatibility ──

function checkAgainstLevel(service: SchemaRegistryService, call: Call): object {
  return verdict(call, service.checkCompatibility(call.parts[0]!, schemaOf(call.body)));
}

/** Nothing registered yet: everything may follow. */
function checkAgainstVersion(service: SchemaRegistryService, call: Call): object {
  const subject = call.parts[0]!;
  const schema = schemaOf(call.body);
  const isFirst = isLatest(call.parts[1]!) && service.state.versions(subject).length === 0;
  const against = isFirst ? undefined : wantedVersion(service, call);
  return verdict(call, service.checkCompatibility(subject, schema, against));
}

function verdict({ query }: Call, messages: readonly string[]): object {
  return {
    is_compatible: messages.length === 0,
    ...(isTrue(query, 'verbose') ? { messages } : {}),
  };
}

// ── Levels ──

function getGlobalLevel(service: SchemaRegistryService): object {
  return { compatibilityLevel: service.state.effectiveCompatibility('') };
}

function getLevel(service: SchemaRegistryService, { parts, query }: Call): object {
  const level = service.state.compatibilityOf(parts[0]!);
  if (level === undefined && !isTrue(query, 'defaultToGlobal')) {
    const message = `Subject '${parts[0]}' does not have subject-level compatibility configured`;
    throw new RegistryError(404, 40408, message);
  }
  return { compatibilityLevel: level ?? service.state.effectiveCompatibility('') };
}

async function putLevel(
  service: SchemaRegistryService,
  subject: string,
  body: Call['body'],
): Promise<object> {
  const level = oneOf(COMPATIBILITY_LEVELS, body['compatibility']);
  if (level === undefined) {
    const message = `Invalid compatibility level. Valid values are ${COMPATIBILITY_LEVELS.join(', ')}`;
    throw new RegistryError(422, 42203, message);
  }
  await service.setCompatibility(subject, level);
  return { compatibility: level };
}

async function deleteLevel(service: SchemaRegistryService, subject: string): Promise<object> {
  if (subject !== '' && service.state.compatibilityOf(subject) === undefined) {
    throw unknownSubject(subject);
  }
  const level: CompatibilityLevel = service.state.effectiveCompatibility(subject);
  await service.setCompatibility(subject, undefined);
  return { compatibilityLevel: level };
}

// ── Modes ──

/** IMPORT is understood in a log, but schemas under ids of the client's choice are not taken here. */
const MODES_TO_SET = MODES.filter((mode) => mode !== 'IMPORT');

function getMode(service: SchemaRegistryService, { parts, query }: Call): object {
  const mode = service.state.modeOf(parts[0]!);
  if (mode === undefined && !isTrue(query, 'defaultToGlobal')) {
    const message = `Subject '${parts[0]}' does not have subject-level mode configured`;
    throw new RegistryError(404, 40409, message);
  }
  return { mode: mode ?? service.state.effectiveMode('') };
}

async function putMode(
  service: SchemaRegistryService,
  subject: string,
  body: Call['body'],
): Promise<object> {
  const mode: Mode | undefined = oneOf(MODES_TO_SET, body['mode']);
  if (mode === undefined) {
    const message = `Invalid mode. Valid values are ${MODES_TO_SET.join(', ')}`;
    throw new RegistryError(422, 42204, message);
  }
  await service.setMode(subject, mode);
  return { mode };
}

async function deleteMode(service: SchemaRegistryService, subject: string): Promise<object> {
  const mode = service.state.modeOf(subject);
  if (mode === undefined) throw unknownSubject(subject);
  await service.setMode(subject, undefined);
  return { mode };
}

// ── What operations share ──

function isTrue(query: URLSearchParams, name: string): boolean {
  return query.get(name) === 'true';
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | undefined {
  return allowed.find((candidate) => candidate === String(value).toUpperCase());
}

function schemaOf({ schema, schemaType, references }: Call['body']): string {
  if (schemaType !== undefined && schemaType !== 'AVRO') {
    const message = `Invalid schema type ${String(schemaType)}: only AVRO is supported`;
    throw new RegistryError(422, 42201, message);
  }
  if (Array.isArray(references) && references.length > 0) {
    throw new RegistryError(422, 42201, 'Invalid schema: references are not supported');
  }
  if (typeof schema !== 'string' || schema === '') {
    throw new RegistryError(422, 42201, 'Empty schema');
  }
  return schema;
}

function knownVersions(
  service: SchemaRegistryService,
  subject: string,
  withDeleted: boolean,
): SchemaVersion[] {
  const versions = service.state.versions(subject, withDeleted);
  if (versions.length === 0) throw unknownSubject(subject);
  return versions;
}

function wantedVersion(service: SchemaRegistryService, { parts, query }: Call): SchemaVersion {
  return versionOf(service, parts[0]!, parts[1]!, isTrue(query, 'deleted'));
}

function isLatest(text: string): boolean {
  return text === 'latest' || text === '-1';
}

function versionOf(
  service: SchemaRegistryService,
  subject: string,
  text: string,
  withDeleted: boolean,
): SchemaVersion {
  const number = Number(text);
  if (!isLatest(text) && !(/^[1-9]\d{0,9}$/.test(text) && number < 2 ** 31)) {
    const allowed = 'Allowed values are between [1, 2^31-1] and the string "latest"';
    const message = `The specified version '${text}' is not a valid version id. ${allowed}`;
    throw new RegistryError(422, 42202, message);
  }
  const versions = knownVersions(service, subject, withDeleted);
  const found = isLatest(text)
    ? versions.at(-1)
    : versions.find(({ version }) => version === number);
  if (found === undefined) throw new RegistryError(404, 40402, `Version ${text} not found.`);
  return found;
}

function parsed({ schema }: SchemaVersion): unknown {
  return JSON.parse(schema);
}

function versionView({ subject, version, id, schema }: SchemaVersion): object {
  return { subject, version, id, schemaType: 'AVRO', schema };
}

function unknownSubject(subject: string): RegistryError {
  return new RegistryError(404, 40401, `Subject '${subject}' not found.`);
}
