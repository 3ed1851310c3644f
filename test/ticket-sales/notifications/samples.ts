import type { NotificationRequest } from '../../../ticket-sales/domain/notification.ts';

export const notification: NotificationRequest = {
  notificationId: '0198a3f0-0000-8000-8000-000000000001:confirmed',
  what: 'confirmed',
  purchaseId: '0198a3f0-0000-8000-8000-000000000001',
  eventId: 'gala',
  zoneId: 'floor',
  buyerId: 'ada',
  quantity: 2,
  seats: [],
  amountMinor: 2_050,
  currency: 'EUR',
  requestedAtMs: 1_790_000_000_000,
};
