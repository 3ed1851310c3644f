/** What the embedded broker's worker and its owner tell each other. */
import type { MessagePort } from 'node:worker_threads';
import { ERROR_CODES, type ErrorCode, MillraceError } from '../../base/errors.ts';
import type { Facts } from '../../base/log.ts';
import type { BrokerAddress } from '../../kafka/wire.ts';

export interface WorkerOptions {
  readonly dataDirectory: string;
  readonly listen: BrokerAddress | null;
  readonly advertised: BrokerAddress | null;
  readonly config: Readonly<Record<string, string>>;
}

export type ToWorker =
  | { readonly kind: 'serve'; readonly base: MessagePort }
  | { readonly kind: 'stop' };

export type FromWorker =
  | {
      readonly kind: 'started';
      readonly address: BrokerAddress | null;
      readonly clusterId: string;
    }
  /** It could not start, or the disk has failed; the worker ends. */
  | { readonly kind: 'failed'; readonly error: PostedError }
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly facts: Facts;
      readonly message: string;
    };

/** An error as it can be posted: class and code would get lost by cloning. */
export interface PostedError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean | undefined>>;
}

export function toPosted(error: unknown): PostedError {
  const known = error instanceof MillraceError ? error : undefined;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return {
    code: known?.code ?? 'INTERNAL',
    message,
    hint: known?.hint,
    stack,
    facts: known?.facts ?? {},
  };
}

export function fromPosted(posted: PostedError): MillraceError {
  const code = ERROR_CODES.find((each): each is ErrorCode => each === posted.code) ?? 'INTERNAL';
  const hint = posted.hint === undefined ? {} : { hint: posted.hint };
  return new MillraceError(code, posted.message, {
    ...hint,
    cause: posted.stack,
    facts: posted.facts,
  });
}
