/**
 * One request to a transaction or group coordinator, sent as often as the error table says, until it
 * is done, something ends the transaction, or the time is up.
 */
import { isMillraceError } from '../../base/errors.ts';
import type { CoordinatorKind, RequestTarget } from '../wire.ts';
import {
  type Action,
  actionFor,
  actionForLostAnswer,
  type EndKind,
  NOT_SENT,
  type TransactionApi,
  weightiest,
} from './error-table.ts';
import type { Ending } from './outcome.ts';
import type { TransactionContext } from './transaction-context.ts';

export interface CoordinatorRequest<Response> {
  readonly api: TransactionApi;
  readonly coordinator: { readonly kind: CoordinatorKind; readonly key: string };
  readonly channel: string;
  readonly versionAtMost: number;
  send(target: RequestTarget): Promise<Response>;
  /** Every error code in the answer; one is enough where the answer has only one. */
  errorCodes(response: Response): readonly number[];
}

export type CoordinatorReply<Response> =
  | { readonly kind: 'done'; readonly response: Response }
  /** The group has moved to another generation. */
  | { readonly kind: 'rejoin' }
  /** `openTries`: earlier ones that reached the broker, or may have, and were not told the end of it. */
  | { readonly kind: 'ended'; readonly ending: Ending; readonly openTries: number };

/** What came of one try. */
interface Try<Response> {
  readonly action: Action;
  readonly response?: Response;
  readonly code?: number;
  readonly cause?: unknown;
  readonly wasSent: boolean;
}

export async function askCoordinator<Response>(
  context: TransactionContext,
  request: CoordinatorRequest<Response>,
): Promise<CoordinatorReply<Response>> {
  const { kind, key } = request.coordinator;
  let openTries = 0;
  let last: Try<Response> | undefined;
  for (let attempt = 0; !context.isOver; attempt++) {
    last = await tryOnce(context, request);
    const { action, code, cause } = last;
    const ended = (as: EndKind): CoordinatorReply<Response> => ({
      kind: 'ended',
      ending: endingOf(request.api, as, { code, cause }),
      openTries,
    });
    switch (action.kind) {
      case 'done':
      case 'duplicate':
        return { kind: 'done', response: last.response as Response };
      case 'rejoin':
        return { kind: 'rejoin' };
      case 'end':
        return ended(action.as);
      case 'look-at-the-others':
        return ended('aborted');
      case 'resend':
        if (last.wasSent) openTries++;
        if (action.refresh === 'coordinator') context.cluster.forgetCoordinator(kind, key);
        await context.pause(action.pause, attempt);
    }
  }
  const ending = endingOf(request.api, 'aborted', { code: last?.code, cause: last?.cause });
  return { kind: 'ended', ending: { ...ending, message: 'no time left' }, openTries };
}

function endingOf(
  api: TransactionApi,
  as: EndKind,
  why: { readonly code: number | undefined; readonly cause: unknown },
): Ending {
  return { as, api, ...(why.code === undefined ? {} : { code: why.code }), cause: why.cause };
}

async function tryOnce<Response>(
  context: TransactionContext,
  request: CoordinatorRequest<Response>,
): Promise<Try<Response>> {
  const { cluster, protocol } = context;
  let nodeId: number;
  try {
    const { kind, key } = request.coordinator;
    nodeId = await context.whileTimeIsLeft(cluster.coordinatorOf(kind, key));
  } catch (cause) {
    return { action: actionForFailure(cause, NOT_SENT), cause, wasSent: false };
  }
  try {
    const response = await request.send({
      nodeId,
      channel: request.channel,
      timeoutMs: context.requestTimeoutMs,
      versionAtMost: request.versionAtMost,
    });
    const codes = request.errorCodes(response);
    const action = weightiest(codes.map((code) => actionFor(request.api, code)));
    const code = codes.find((each) => actionFor(request.api, each) === action);
    return { action, response, ...(code === undefined ? {} : { code }), wasSent: true };
  } catch (cause) {
    const wasSent = !isMillraceError(cause, 'KAFKA_UNAVAILABLE');
    const lost = wasSent ? actionForLostAnswer(request.api, protocol) : NOT_SENT;
    return { action: actionForFailure(cause, lost), cause, wasSent };
  }
}

/** What a rejected call asks for: connections come back; wrong passwords and versions do not. */
export function actionForFailure(cause: unknown, ifTransient: Action): Action {
  return isMillraceError(cause, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE')
    ? ifTransient
    : { kind: 'end', as: 'fatal' };
}
