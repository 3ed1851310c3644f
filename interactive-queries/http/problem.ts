/**
 * Problem details (RFC 9457): the one shape of every error answer, and the closed list of its types.
 */

/** Slug -> status and title. The type URI is `urn:millrace:problem:<slug>`; docs/errors.md explains each. */
export const PROBLEMS = {
  'malformed-request': { status: 400, title: 'The request cannot be read' },
  'idempotency-key-missing': { status: 400, title: 'Idempotency-Key is required' },
  'key-codec': { status: 400, title: 'The key cannot be read' },
  unauthenticated: { status: 401, title: 'Authentication is required' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'unknown-store': { status: 404, title: 'There is no such store' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'not-acceptable': { status: 406, title: 'None of the accepted media types is available' },
  'request-timeout': { status: 408, title: 'The request came too slowly' },
  conflict: { status: 409, title: 'It exists with other properties' },
  'sold-out': { status: 409, title: 'Not enough tickets are left' },
  'sale-closed': { status: 409, title: 'The sale is closed' },
  rejected: { status: 409, title: 'The purchase was rejected' },
  'hold-expired': { status: 409, title: 'The hold has ended' },
  'already-final': { status: 409, title: 'The purchase cannot change any more' },
  'precondition-failed': { status: 412, title: 'The resource has changed' },
  'too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The media type is not supported' },
  misdirected: { status: 421, title: 'This instance does not own the key any more' },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met' },
  'validation-failed': { status: 422, title: 'The request has invalid values' },
  'duplicate-conflict': { status: 422, title: 'The key belongs to another request' },
  'quota-exceeded': { status: 429, title: 'Too many requests' },
  'header-too-large': { status: 431, title: 'The header is too large' },
  internal: { status: 500, title: 'Something is wrong here' },
  'not-queryable': { status: 501, title: 'The store cannot be queried' },
  'store-restoring': { status: 503, title: 'The state is being restored' },
  rebalancing: { status: 503, title: 'The partitions are being assigned' },
  'owner-unavailable': { status: 503, title: 'The owner of the key does not answer' },
  'broker-unavailable': { status: 503, title: 'Kafka does not answer' },
  'registry-unavailable': { status: 503, title: 'The schema registry does not answer' },
  'outcome-unknown': { status: 503, title: 'The command may or may not have been accepted' },
  'auth-unavailable': { status: 503, title: 'It cannot be told now who asks' },
  'probe-failed': { status: 503, title: 'The probe says no' },
  'shutting-down': { status: 503, title: 'This instance is stopping' },
  'deadline-exceeded': { status: 504, title: 'The owner of the key is too slow' },
  'hop-limit': { status: 508, title: 'Forwarded more than once' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemSlug = keyof typeof PROBLEMS;

export interface FieldError {
  /** JSON pointer into the body, or `?name` for a query parameter. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  /** Further members of the document. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown anywhere in a request; the app answers with it. */
export class Problem extends Error {
  readonly slug: ProblemSlug;
  readonly options: ProblemOptions;

  constructor(slug: ProblemSlug, options: ProblemOptions = {}) {
    // An answer, not a fault: nobody looks at its stack, and a rejected purchase would pay for it.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(options.detail ?? PROBLEMS[slug].title, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.slug = slug;
    this.options = options;
  }

  get status(): number {
    return PROBLEMS[this.slug].status;
  }

  document(instance: string): Record<string, unknown> {
    const { title, status } = PROBLEMS[this.slug];
    const { detail, errors, members } = this.options;
    return {
      type: `urn:millrace:problem:${this.slug}`,
      title,
      status,
      ...(detail === undefined ? {} : { detail }),
      instance,
      ...(errors === undefined ? {} : { errors }),
      ...members,
    };
  }
}

/** 503s always say when to come back. */
export function retryAfter(seconds: number): {
  readonly headers: Readonly<Record<string, string>>;
} {
  return { headers: { 'Retry-After': String(seconds) } };
}
