/** The routes by which operators run a sale: open, pause and close it, its capacity, its vouchers. */
import Type from 'typebox';
import type { Route } from '../../../interactive-queries/http/route.ts';
import { readQuery } from '../../../interactive-queries/positions.ts';
import { OPERATORS } from '../roles.ts';
import { idSchema } from '../views.ts';
import type { EventRoutesDeps } from './event-reads.ts';
import {
  capacityRequestSchema,
  saleRequestSchema,
  voucherRequestSchema,
  voucherSchema,
  zoneSchema,
} from './zone-views.ts';
import {
  changeCapacity,
  changeSale,
  changeSaleOfEvent,
  getVoucher,
  putVoucher,
} from './zone-writes.ts';

const event = { eventId: idSchema };
const zone = { ...event, zoneId: idSchema };
const voucher = { ...zone, code: idSchema };
const noZone = { 404: { about: 'There is no such zone' } };
const usual = {
  422: { about: 'Invalid values' },
  503: { about: 'Not accepted, unknown, or the state is not available now' },
};

const sentSchema = Type.Object({
  isAtomic: Type.Boolean({ description: 'false: each zone changes at a moment of its own' }),
  items: Type.Array(
    Type.Object({
      zoneId: idSchema,
      position: Type.Optional(
        Type.String({ description: 'as minPosition, shows the zone after the change' }),
      ),
    }),
  ),
});

export function saleRoutes(deps: EventRoutesDeps): Route[] {
  const path = '/v1/events/{eventId}/zones/{zoneId}';
  return [
    {
      method: 'POST',
      path: '/v1/events/{eventId}/sale',
      operationId: 'changeSaleOfEvent',
      summary: 'Open, pause or close the sale of all zones of an event, one after the other',
      tag: 'events',
      access: OPERATORS,
      params: event,
      body: saleRequestSchema,
      answers: {
        202: { about: 'Each zone has been told; they change one by one', body: sentSchema },
        404: { about: 'There is no such event' },
        ...usual,
      },
      handle: (request) => changeSaleOfEvent(deps, request),
    },
    {
      method: 'POST',
      path: `${path}/sale`,
      operationId: 'changeSale',
      summary: 'Open, pause or close the sale of a zone, or say when it opens and closes',
      tag: 'events',
      access: OPERATORS,
      params: zone,
      body: saleRequestSchema,
      answers: { 200: { about: 'The zone after it', body: zoneSchema }, ...noZone, ...usual },
      handle: (request) => changeSale(deps, request),
    },
    {
      method: 'POST',
      path: `${path}/capacity`,
      operationId: 'changeCapacity',
      summary: 'Change how many tickets there are',
      tag: 'events',
      access: OPERATORS,
      params: zone,
      body: capacityRequestSchema,
      answers: {
        200: { about: 'The zone after it', body: zoneSchema },
        ...noZone,
        409: { about: 'More are held and sold, or its seats are numbered' },
        ...usual,
      },
      handle: (request) => changeCapacity(deps, request),
    },
    {
      method: 'PUT',
      path: `${path}/vouchers/{code}`,
      operationId: 'putVoucher',
      summary: 'Give out a voucher, or change it; uses that were made stay counted',
      tag: 'events',
      access: OPERATORS,
      params: voucher,
      body: voucherRequestSchema,
      answers: { 200: { about: 'The voucher', body: voucherSchema }, ...noZone, ...usual },
      handle: (request) => putVoucher(deps, request),
    },
    {
      method: 'GET',
      path: `${path}/vouchers/{code}`,
      operationId: 'getVoucher',
      summary: 'A voucher, and how often it was used',
      tag: 'events',
      access: OPERATORS,
      params: voucher,
      query: readQuery,
      answers: {
        200: { about: 'The voucher', body: voucherSchema },
        404: { about: 'There is no such voucher' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => getVoucher(deps, request),
    },
  ];
}
