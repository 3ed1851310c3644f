/** The routes of what is told as it changes, as server-sent events. */
import Type from 'typebox';
import type { Route } from '../../interactive-queries/http/route.ts';
import { EVENT_STREAM } from '../../interactive-queries/http/server-sent-events.ts';
import type { InventoryStreams } from './events/inventory-stream.ts';
import type { PurchaseStreams } from './purchases/purchase-stream.ts';
import { BUYERS } from './roles.ts';
import { idSchema, purchaseIdSchema } from './views.ts';

export interface StreamRoutesDeps {
  readonly purchases: PurchaseStreams;
  readonly inventory: InventoryStreams;
}

const requestHeaders = {
  'Last-Event-ID': {
    required: false,
    about: 'the id of the last event that was received: goes on with what came after it',
  },
};

const answers = (about: string): Route['answers'] => ({
  200: { about, mediaType: EVENT_STREAM, body: Type.String() },
  404: { about: 'There is no such thing' },
  429: { about: 'Too many streams are open here' },
  503: { about: 'The state is not available now' },
});

export function streamRoutes({ purchases, inventory }: StreamRoutesDeps): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/purchases/{purchaseId}/stream',
      operationId: 'streamPurchase',
      summary: 'A purchase, as it changes',
      tag: 'purchases',
      access: BUYERS,
      params: { purchaseId: purchaseIdSchema },
      query: {
        partition: Type.String({
          pattern: '^\\d{1,5}$',
          description: 'where it is: what instances tell each other; ignored from others',
        }),
      },
      requestHeaders,
      answers: answers('Events `snapshot` and `update`, whose data is the purchase'),
      handle: (request) => purchases.answer(request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/inventory/stream',
      operationId: 'streamEventInventory',
      summary: 'What is left in the zones of an event, as it changes',
      tag: 'events',
      access: BUYERS,
      params: { eventId: idSchema },
      requestHeaders,
      answers: answers(
        'Events `snapshot` (all zones) and `update` (those that changed); ids are versions of the event',
      ),
      handle: (request) => inventory.answer(request),
    },
  ];
}
