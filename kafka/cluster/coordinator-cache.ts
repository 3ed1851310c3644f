/** Which broker coordinates which group or transactional id: asked once, shared, forgotten on demand. */
import { MillraceError } from '../../base/errors.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors, errorName, isRetriable } from '../protocol/error-codes.ts';
import type { findCoordinatorApi } from '../protocol/messages/find-coordinator.ts';
import type { CoordinatorKind } from '../wire.ts';

export type FindCoordinatorResponse = ResponseOf<typeof findCoordinatorApi>;

export interface Coordinator {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

const KEY_TYPES: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1 };
/** Far more than one client has groups and transactional ids; the oldest goes. */
const ENTRIES_MAX = 1_000;

export function findCoordinatorRequest(kind: CoordinatorKind, key: string) {
  return { key, keyType: KEY_TYPES[kind], coordinatorKeys: [key] };
}

/** The coordinator in an answer of any version. Throws KAFKA_RETRIABLE or KAFKA_FATAL. */
export function coordinatorIn(
  answer: FindCoordinatorResponse,
  kind: CoordinatorKind,
  key: string,
): Coordinator {
  const found = answer.coordinators[0] ?? answer;
  if (found.errorCode === Errors.NONE) return found;
  const name = errorName(found.errorCode);
  const code = isRetriable(found.errorCode) ? 'KAFKA_RETRIABLE' : 'KAFKA_FATAL';
  throw new MillraceError(code, `coordinator of ${kind} ${key}: ${name}`, {
    facts: { kafkaError: name, [kind]: key },
  });
}

export class CoordinatorCache {
  readonly #find: (kind: CoordinatorKind, key: string) => Promise<number>;
  readonly #entries = new Map<string, Promise<number>>();

  constructor(find: (kind: CoordinatorKind, key: string) => Promise<number>) {
    this.#find = find;
  }

  /** The cached node, or the one that is being asked for; a failure is not kept. */
  get(kind: CoordinatorKind, key: string): Promise<number> {
    const name = `${kind} ${key}`;
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const asked = this.#find(kind, key);
    this.#entries.set(name, asked);
    asked.catch(() => {
      if (this.#entries.get(name) === asked) this.#entries.delete(name);
    });
    this.#dropOldest();
    return asked;
  }

  forget(kind: CoordinatorKind, key: string): void {
    this.#entries.delete(`${kind} ${key}`);
  }

  #dropOldest(): void {
    if (this.#entries.size <= ENTRIES_MAX) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
