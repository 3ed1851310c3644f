/** What every admin call needs: the cluster, time, and how long to go on trying. */
import type { ClientDeps } from '../client-deps.ts';
import type { Api } from '../protocol/api.ts';
import type { Cluster } from '../wire.ts';
import type { OffsetQuestions } from './partition-offsets.ts';
import { retrying } from './retrying.ts';

export interface AdminContext {
  readonly cluster: Cluster;
  readonly deps: ClientDeps;
  readonly timeoutMs: number;
  /** Questions for offsets that are being asked: by broker, and by what is asked. */
  readonly offsetQuestions: Map<string, OffsetQuestions>;
}

/** Nothing of ours waits long on it: no long poll, no JoinGroup. */
export const ADMIN_CHANNEL = 'admin';

/** Sends to any broker; `read` judges the answer and may throw to have it asked again. */
export function askAnyBroker<Request, Response, Result>(
  context: AdminContext,
  api: Api<Request, Response>,
  request: Request,
  read: (response: Response) => Result,
): Promise<Result> {
  return ask(context, () => context.cluster.anyBroker(), api, request, read);
}

/** Sends to the controller (KRaft brokers forward to it). */
export function askController<Request, Response, Result>(
  context: AdminContext,
  api: Api<Request, Response>,
  request: Request,
  read: (response: Response) => Result,
): Promise<Result> {
  return ask(context, () => context.cluster.controllerId(), api, request, read);
}

function ask<Request, Response, Result>(
  { cluster, deps, timeoutMs }: AdminContext,
  node: () => Promise<number>,
  api: Api<Request, Response>,
  request: Request,
  read: (response: Response) => Result,
): Promise<Result> {
  const beforeRetry = () => cluster.refreshMetadata();
  return retrying(deps, { timeoutMs, beforeRetry }, async () => {
    const target = { nodeId: await node(), channel: ADMIN_CHANNEL };
    return read(await cluster.request(target, api, request));
  });
}
