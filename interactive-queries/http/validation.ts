/** Compiles the schemas of a route into checks that throw Problems. The only file that names ajv. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { TSchema } from 'typebox';
import { type FieldError, Problem } from './problem.ts';
import type { Route } from './route.ts';

/** A body can have a fault in every few bytes: so many are told. */
const ERRORS_MAX = 20;

const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictRequired: false,
  unicodeRegExp: true,
});

export interface RouteChecks {
  /** Throws 404, an id that cannot exist does not exist, or what the route says. */
  params(params: Readonly<Record<string, string>>): void;
  /** Throws 400: repeated, unknown or malformed. */
  query(text: string): Readonly<Record<string, string>>;
  /** Throws 422, or what the route says, with a pointer for each fault. */
  body(value: unknown): void;
}

export function compileChecks(route: Route): RouteChecks {
  const params = compileEach(route.params ?? {});
  const query = compileEach(route.query ?? {});
  const body = route.body === undefined ? undefined : ajv.compile(route.body);
  return {
    params: (values) => {
      for (const [name, validate] of params) {
        if (!validate(values[name])) throw invalidParameter(route, name);
      }
    },
    query: (text) => (text === '' ? NO_QUERY : checkQuery(new URLSearchParams(text), query)),
    body: (value) => {
      if (body === undefined || body(value)) return;
      const errors = (body.errors ?? []).slice(0, ERRORS_MAX).map(fieldError);
      throw new Problem(route.invalidAs ?? 'validation-failed', { errors });
    },
  };
}

function invalidParameter({ invalidAs }: Route, name: string): Problem {
  if (invalidAs === undefined) return new Problem('not-found');
  return new Problem(invalidAs, { errors: [{ pointer: `{${name}}`, detail: 'is invalid' }] });
}

function compileEach(schemas: Readonly<Record<string, TSchema>>): Map<string, ValidateFunction> {
  return new Map(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
}

const NO_QUERY: Readonly<Record<string, string>> = Object.freeze({});

function checkQuery(
  search: URLSearchParams,
  known: ReadonlyMap<string, ValidateFunction>,
): Readonly<Record<string, string>> {
  const values: Record<string, string> = Object.create(null);
  for (const [name, value] of search) {
    const validate = known.get(name);
    if (validate === undefined) throw badQuery(name, 'is not a parameter of this resource');
    if (name in values) throw badQuery(name, 'is given twice');
    if (!validate(value)) throw badQuery(name, ajv.errorsText(validate.errors, { dataVar: 'it' }));
    values[name] = value;
  }
  return values;
}

function badQuery(name: string, detail: string): Problem {
  return new Problem('malformed-request', { errors: [{ pointer: `?${name}`, detail }] });
}

function fieldError(error: ErrorObject): FieldError {
  const { instancePath, keyword, params, message } = error;
  switch (keyword) {
    case 'additionalProperties':
      return { pointer: below(instancePath, params['additionalProperty']), detail: 'is not known' };
    case 'required':
      return { pointer: below(instancePath, params['missingProperty']), detail: 'is required' };
    default:
      return { pointer: instancePath, detail: message ?? 'is invalid' };
  }
}

/** JSON pointer of a member (RFC 6901). */
function below(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
