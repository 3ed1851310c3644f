/** Purchases that exist are changed: given back, or their hold extended. What was done already is answered alike. */
import { Problem } from '../../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import { waitSeconds } from '../../../interactive-queries/peers.ts';
import { positionAfter } from '../../../interactive-queries/positions.ts';
import type { CancelCommand, ExtendHoldCommand } from '../../domain/command.ts';
import type { PurchaseState } from '../../domain/purchase.ts';
import { zoneKey } from '../../domain/zone.ts';
import { acceptedAnswer, asView, placeOf, unlessAmbiguous } from './purchase-answers.ts';
import { readPurchase } from './purchase-reads.ts';
import type { PurchaseRoutesDeps } from './purchase-routes.ts';

type View = Readonly<Record<string, unknown>>;

interface Change {
  readonly kind: CancelCommand['kind'] | ExtendHoldCommand['kind'];
  /** It is so already. */
  isDone(view: View): boolean;
  /** It may become so. What is requested is decided before this is: the log orders them. */
  isOpenTo(state: PurchaseState): boolean;
}

const CANCELLATION: Change = {
  kind: 'cancel',
  isDone: ({ state }) => state === 'cancelled' || state === 'released' || state === 'refunded',
  isOpenTo: (state) => state === 'confirmed' || state === 'held' || state === 'requested',
};

const EXTENSION: Change = {
  kind: 'extendHold',
  isDone: ({ state, isExtended }) => state === 'held' && isExtended === true,
  isOpenTo: (state) => state === 'held' || state === 'requested',
};

export function cancelPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  return changePurchase(deps, request, CANCELLATION);
}

export function extendHold(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  return changePurchase(deps, request, EXTENSION);
}

async function changePurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
  change: Change,
): Promise<RouteResponse> {
  const now = await readPurchase(deps, asRead(request));
  const view = now.status === 200 ? asView(now.body) : undefined;
  if (view === undefined) return now;
  if (change.isDone(view)) return { status: 200, body: view };
  if (!change.isOpenTo(view['state'] as PurchaseState)) throw alreadyFinal(view);
  const { purchaseId, eventId, zoneId } = view as Record<string, string>;
  const command = {
    kind: change.kind,
    purchaseId: purchaseId!,
    eventId: eventId!,
    zoneId: zoneId!,
  };
  const sent = await deps.sender
    .send(deps.commands, zoneKey(command.eventId, command.zoneId), command)
    .catch((cause: unknown) => {
      throw unlessAmbiguous(cause, command.purchaseId);
    });
  const accepted = acceptedAnswer(command.purchaseId, view, placeOf(deps.commands.topic, sent));
  const minPosition = positionAfter(deps.commands.topic, sent);
  if (minPosition === undefined || waitSeconds(request.headers['prefer']) === 0) return accepted;
  const answer = await readPurchase(deps, asRead(request, minPosition)).catch(() => undefined);
  const after = answer?.status === 200 ? asView(answer.body) : undefined;
  if (after === undefined) return accepted;
  if (!change.isDone(after)) throw alreadyFinal(after);
  return { status: 200, headers: { 'Store-Position': minPosition }, body: after };
}

/** The purchase itself, here or at its owner, whatever resource below it was asked for. */
function asRead(request: RouteRequest, minPosition?: string): RouteRequest {
  const { prefer } = request.headers;
  const target = `/v1/purchases/${request.params['purchaseId']}`;
  const headers = { ...request.headers, 'if-none-match': undefined };
  if (minPosition === undefined) {
    return changedRequest(request, {
      query: {},
      headers: { ...headers, prefer: undefined },
      target,
    });
  }
  return changedRequest(request, {
    query: { minPosition },
    headers: { ...headers, prefer },
    target: `${target}?minPosition=${encodeURIComponent(minPosition)}`,
  });
}

function alreadyFinal(view: View): Problem {
  const { state, reason, purchaseId } = view;
  const members = { state, purchaseId, ...(reason === undefined ? {} : { reason }) };
  const slug = state === 'expired' ? 'hold-expired' : 'already-final';
  return new Problem(slug, { detail: `the purchase is ${state}`, members });
}
