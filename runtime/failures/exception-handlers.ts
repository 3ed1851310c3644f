/**
 * What happens to a record that cannot be decoded, processed or produced: 'continue' writes it to
 * the dead-letter topic in the same transaction as its offset, 'fail' stops the stream thread.
 * Handlers given as functions work only in the caller's loop; a worker takes the two words.
 */
export type FailureStage = 'deserialization' | 'processing' | 'production';

export interface RecordFailure {
  readonly stage: FailureStage;
  readonly taskId: string;
  /** The node that ran, where one did. */
  readonly nodeName: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly error: Error;
}

export type ExceptionDecision = 'continue' | 'fail';
export type ExceptionHandler = ExceptionDecision | ((failure: RecordFailure) => ExceptionDecision);
export type ExceptionHandlers = Readonly<Record<FailureStage, ExceptionHandler>>;

export function decideFailure(
  handlers: ExceptionHandlers,
  failure: RecordFailure,
): ExceptionDecision {
  const handler = handlers[failure.stage];
  return typeof handler === 'function' ? handler(failure) : handler;
}

/** True when the handlers can be posted to a worker thread. */
export function arePostable(handlers: ExceptionHandlers): boolean {
  return Object.values(handlers).every((handler) => typeof handler === 'string');
}
