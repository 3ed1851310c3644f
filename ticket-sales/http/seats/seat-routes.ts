/** The routes of numbered seats. */
import Type from 'typebox';
import type { Route } from '../../../interactive-queries/http/route.ts';
import { readQuery } from '../../../interactive-queries/positions.ts';
import { SEAT_PATTERN } from '../../domain/seats/seat-name.ts';
import { BUYERS, OPERATORS } from '../roles.ts';
import { idSchema } from '../views.ts';
import { getBestSeats, getSeats } from './seat-reads.ts';
import {
  BITMAP_ABOUT,
  BITMAP_TYPE,
  bestSeatsSchema,
  blockedSeatsSchema,
  blockRequestSchema,
  seatMapSchema,
} from './seat-views.ts';
import { changeBlocked, type SeatRoutesDeps } from './seat-writes.ts';

const zone = { eventId: idSchema, zoneId: idSchema };
const unavailable = { 503: { about: 'The state is not available now' } };
const noSeats = { 404: { about: 'There is no such zone, or its seats have no numbers' } };

const SEAT = SEAT_PATTERN.slice(1, -1);

const bestQuery = {
  ...readQuery,
  quantity: Type.String({ pattern: '^(1000|[1-9][0-9]{0,2})$', description: 'seats, 1 to 1000' }),
  placement: Type.Enum(['adjacent', 'adjacent_or_split', 'any'], {
    description: 'default `adjacent`: side by side in one row, or none',
  }),
  near: Type.String({
    pattern: `^${SEAT}(,${SEAT}){0,999}$`,
    description: 'instead of quantity: as many as these, and near them',
  }),
};

export function seatRoutes(deps: SeatRoutesDeps): Route[] {
  const path = '/v1/events/{eventId}/zones/{zoneId}/seats';
  return [
    {
      method: 'GET',
      path,
      operationId: 'getSeats',
      summary: 'The seats of a zone: JSON, two bits per seat, or text, by `Accept`',
      tag: 'seats',
      access: BUYERS,
      params: zone,
      query: readQuery,
      answers: {
        200: {
          about: `Every seat. As text/plain: a line per row. As ${BITMAP_TYPE}: ${BITMAP_ABOUT}`,
          body: seatMapSchema,
        },
        304: { about: 'Unchanged' },
        ...noSeats,
        ...unavailable,
      },
      handle: (request) => getSeats(deps, request),
    },
    {
      method: 'GET',
      path: `${path}/best`,
      operationId: 'getBestSeats',
      summary: 'The seats that one would get now: a suggestion, not a promise',
      tag: 'seats',
      access: BUYERS,
      params: zone,
      query: bestQuery,
      answers: {
        200: { about: 'Free seats; empty when there are none such', body: bestSeatsSchema },
        304: { about: 'Unchanged' },
        400: { about: 'Neither quantity nor near, both, or not of this zone' },
        ...noSeats,
        ...unavailable,
      },
      handle: (request) => getBestSeats(deps, request),
    },
    ...(['blockSeats', 'unblockSeats'] as const).map((kind): Route => {
      const isBlock = kind === 'blockSeats';
      return {
        method: 'POST',
        path: `${path}/${isBlock ? 'block' : 'unblock'}`,
        operationId: kind,
        summary: isBlock ? 'Take free seats off sale' : 'Put blocked seats on sale again',
        tag: 'seats',
        access: OPERATORS,
        params: zone,
        body: blockRequestSchema,
        answers: {
          200: { about: 'All of them are so now', body: blockedSeatsSchema },
          ...noSeats,
          409: { about: `Not all of them are ${isBlock ? 'free' : 'blocked'}: nothing changed` },
          422: { about: 'Invalid values, or seats that the zone does not have' },
          ...unavailable,
        },
        handle: (request) => changeBlocked(deps, request, kind),
      };
    }),
  ];
}
