/** What a stream thread's worker and the main thread say to each other: plain data only. */

import type { ErrorCode } from '../base/errors.ts';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type { TaskInfo } from '../interactive-queries/queryable-streams.ts';
import type { KafkaConnection } from '../kafka/connection.ts';
import type { HostTasks } from './assignment/assignment-codec.ts';
import type { Topics } from './assignment/topic-plan.ts';
import type { RestoreProgress } from './restore/restorer.ts';
import type { StreamsConfig } from './streams-config.ts';
import type { ThreadCommit, ThreadState } from './thread-events.ts';
import type { TopologyModule } from './topology-module.ts';

/** Given to the worker at its start. */
export interface WorkerStart {
  readonly name: string;
  readonly index: number;
  readonly config: StreamsConfig;
  readonly topology: TopologyModule & { readonly module: string };
  readonly topics: Topics;
  readonly processId: string;
  readonly bootId: string;
  readonly directory: string;
  readonly connection: KafkaConnection;
  readonly listenedTopics: readonly string[];
  readonly onDisk: ReadonlyMap<string, number>;
  readonly memory: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly kind: 'stop' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'listen'; readonly topics: readonly string[] }
  /** Nobody reads the stores of this task any more. */
  | { readonly kind: 'left'; readonly taskId: string };

export type FromWorker =
  | { readonly kind: 'state'; readonly state: ThreadState }
  | { readonly kind: 'tasks'; readonly tasks: readonly TaskInfo[] }
  | { readonly kind: 'hosts'; readonly hosts: readonly HostTasks[] }
  | { readonly kind: 'committed'; readonly commit: ThreadCommit }
  | {
      readonly kind: 'running';
      readonly taskId: string;
      readonly directory: string | undefined;
      readonly role: TaskInfo['role'];
    }
  | { readonly kind: 'leaving'; readonly taskId: string }
  | { readonly kind: 'restore'; readonly progress: RestoreProgress }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly facts: Readonly<Record<string, unknown>>;
      readonly message: string;
    }
  /** The thread has ended; an error says that it died. */
  | { readonly kind: 'ended'; readonly error: PostedError | undefined };

/** Structured cloning keeps an Error's text and loses its code. */
export interface PostedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: ErrorCode | undefined;
  readonly hint: string | undefined;
  readonly cause: PostedError | undefined;
}

export function postedError(error: unknown): PostedError {
  if (!(error instanceof Error)) return postedError(new Error(String(error)));
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    code: isMillraceError(error) ? error.code : undefined,
    hint: isMillraceError(error) ? error.hint : undefined,
    cause: error.cause === undefined ? undefined : postedError(error.cause),
  };
}

export function errorFrom(posted: PostedError): Error {
  const cause = posted.cause === undefined ? undefined : errorFrom(posted.cause);
  const hint = posted.hint === undefined ? {} : { hint: posted.hint };
  const error =
    posted.code === undefined
      ? new Error(posted.message, cause === undefined ? undefined : { cause })
      : new MillraceError(posted.code, posted.message, { cause, ...hint });
  error.name = posted.name;
  if (posted.stack !== undefined) error.stack = posted.stack;
  return error;
}
