/** Whether a document is OpenAPI 3.1, as far as its structure goes, and whether an answer is as it says. */
import { Ajv2020 } from 'ajv/dist/2020.js';

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, AnswerObject>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Json;
}

interface AnswerObject {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch', 'head', 'options', 'trace']);

export function checkOpenApi(document: OpenApiDocument): readonly string[] {
  const problems: string[] = [];
  if (!/^3\.1\.\d+$/.test(document.openapi)) problems.push(`openapi is ${document.openapi}`);
  for (const name of ['title', 'version']) {
    if (typeof document.info[name] !== 'string') problems.push(`info.${name} is missing`);
  }
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    if (!path.startsWith('/')) problems.push(`${path} does not begin with /`);
    for (const [method, operation] of Object.entries(operations)) {
      const at = `${method.toUpperCase()} ${path}`;
      if (!METHODS.has(method)) problems.push(`${at}: no method`);
      if (ids.has(operation.operationId))
        problems.push(`${at}: ${operation.operationId} is not unique`);
      ids.add(operation.operationId);
      problems.push(
        ...operationProblems(document, path, operation).map((problem) => `${at}: ${problem}`),
      );
    }
  }
  return problems;
}

function operationProblems(
  document: OpenApiDocument,
  path: string,
  operation: Operation,
): string[] {
  const problems: string[] = [];
  const parameters = operation.parameters ?? [];
  const templated = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  if (templated.join() !== inPath.join())
    problems.push(`path has ${templated}, parameters say ${inPath}`);
  const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name.toLowerCase()}`);
  if (new Set(keys).size !== keys.length) problems.push('a parameter stands twice');
  for (const { name, in: place, required, schema } of parameters) {
    if (!['path', 'query', 'header'].includes(place)) problems.push(`${name} is in ${place}`);
    if (place === 'path' && required !== true) problems.push(`${name} must be required`);
    problems.push(...schemaProblems(document, schema).map((problem) => `${name}: ${problem}`));
  }
  const bodies = Object.values(operation.requestBody?.content ?? {});
  if (operation.requestBody !== undefined && bodies.length === 0)
    problems.push('an empty requestBody');
  const answers = Object.entries(operation.responses);
  if (!answers.some(([status]) => /^2\d\d$/.test(status))) problems.push('no success');
  for (const [status, { description }] of answers) {
    if (!/^([1-5]\d\d|default)$/.test(status)) problems.push(`status ${status}`);
    if (typeof description !== 'string') problems.push(`${status} without description`);
  }
  const contents = answers.flatMap(([, { content }]) => Object.values(content ?? {}));
  for (const { schema } of [...bodies, ...contents])
    problems.push(...schemaProblems(document, schema));
  return problems;
}

function schemaProblems(document: OpenApiDocument, schema: Json): string[] {
  try {
    compile(document, schema);
    return [];
  } catch (error) {
    return [`no schema: ${(error as Error).message}`];
  }
}

/** Why an answer is not one that the document promises; undefined = it is. */
export function undocumented(
  document: OpenApiDocument,
  path: string,
  method: string,
  answer: { readonly status: number; readonly mediaType: string | null; readonly body: unknown },
): string | undefined {
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) return `${method} ${path} is not documented`;
  const promised = operation.responses[answer.status] ?? operation.responses['default'];
  const isSuccess = answer.status < 400;
  if (promised === undefined || (isSuccess && operation.responses[answer.status] === undefined)) {
    return `${method} ${path} may not answer ${answer.status}`;
  }
  const type = answer.mediaType?.split(';')[0] ?? '';
  const content = promised.content?.[type];
  if (content === undefined) {
    const isEmpty = promised.content === undefined && (answer.status === 304 || type === '');
    return isEmpty ? undefined : `${method} ${path} ${answer.status}: ${type} is not documented`;
  }
  const validate = compile(document, content.schema);
  if (validate(answer.body)) return undefined;
  return `${method} ${path} ${answer.status}: ${JSON.stringify(validate.errors)}`;
}

/** Those that the documents use. */
const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  uri: (text: string) => URL.canParse(text),
};

/** One for each document: to make one takes longer than all that is done with it. */
const ajvs = new WeakMap<OpenApiDocument, Ajv2020>();

function ajvOf(document: OpenApiDocument): Ajv2020 {
  const known = ajvs.get(document);
  if (known !== undefined) return known;
  const ajv = new Ajv2020({ strict: false, unicodeRegExp: true, formats: FORMATS });
  ajv.addSchema({ $id: 'openapi.json', components: document.components });
  ajvs.set(document, ajv);
  return ajv;
}

function compile(document: OpenApiDocument, schema: Json) {
  const text = JSON.stringify(schema).replaceAll('"#/', '"openapi.json#/');
  return ajvOf(document).compile(JSON.parse(text) as Json);
}
