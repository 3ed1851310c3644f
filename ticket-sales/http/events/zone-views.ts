/** Zones as operators define them and everybody sees them: plain JSON, and the schemas of it. Pure. */
import Type from 'typebox';
import type { CreateZoneCommand } from '../../domain/command.ts';
import type { Money } from '../../domain/money.ts';
import { AMOUNT_MINOR_MAX } from '../../domain/money.ts';
import type { Voucher } from '../../domain/voucher.ts';
import {
  available,
  CAPACITY_MAX,
  type Fees,
  type PriceTier,
  QUANTITY_MAX,
  type SeatLayout,
  type Zone,
  type ZoneTerms,
} from '../../domain/zone.ts';
import {
  CUSTOMER_MAX,
  HOLD_MS_DEFAULT,
  HOLD_MS_MAX,
  HOLD_MS_MIN,
  isSameTerms,
  PLAIN_TERMS,
  TIERS_MAX,
} from '../../domain/zone-terms.ts';
import { seatNameSchema } from '../seats/seat-views.ts';
import { timeOrNull, writtenTimeSchema } from '../times.ts';
import { idSchema, moneySchema, moneyView, timeSchema } from '../views.ts';

const strict = { additionalProperties: false };
const amountSchema = Type.Integer({ minimum: 0, maximum: AMOUNT_MINOR_MAX });
const capacitySchema = Type.Integer({ minimum: 0, maximum: CAPACITY_MAX });
const checkoutSchema = Type.Enum(['immediate', 'hold'], {
  description: 'immediate: sold in one decision; hold: held until it is paid',
});
const latePaymentSchema = Type.Enum(['refund', 'retake'], {
  description: 'a payment after the hold expired: refund it, or take the tickets again if free',
});
const feesSchema = Type.Object(
  { perTicketMinor: amountSchema, perPurchaseMinor: amountSchema },
  strict,
);
const tiersSchema = Type.Array(
  Type.Object(
    {
      fromSoldPermille: Type.Integer({ minimum: 1, maximum: 1_000 }),
      amountMinor: amountSchema,
    },
    { ...strict, description: 'from this share held and sold on, a ticket costs this' },
  ),
  { maxItems: TIERS_MAX },
);
const dimensions = { rows: Type.Integer({ minimum: 1 }), columns: Type.Integer({ minimum: 1 }) };

export const zoneRequestSchema = Type.Object(
  {
    capacity: Type.Optional(capacitySchema),
    quantityMax: Type.Optional(Type.Integer({ minimum: 1, maximum: QUANTITY_MAX })),
    price: Type.Optional(moneySchema),
    checkout: Type.Optional(checkoutSchema),
    holdMs: Type.Optional(
      Type.Integer({
        minimum: HOLD_MS_MIN,
        maximum: HOLD_MS_MAX,
        description: `how long a hold lives; default ${HOLD_MS_DEFAULT}`,
      }),
    ),
    latePayment: Type.Optional(latePaymentSchema),
    customerMax: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: CUSTOMER_MAX,
        description: 'tickets of one buyer in this zone; 0, the default: no limit',
      }),
    ),
    opensAt: Type.Optional(writtenTimeSchema),
    closesAt: Type.Optional(writtenTimeSchema),
    fees: Type.Optional(feesSchema),
    tiers: Type.Optional(tiersSchema),
    layout: Type.Optional(
      Type.Object(
        {
          ...dimensions,
          blocked: Type.Optional(
            Type.Array(seatNameSchema, { uniqueItems: true, maxItems: 100_000 }),
          ),
        },
        { ...strict, description: 'numbered seats: the capacity is that of those not blocked' },
      ),
    ),
    notify: Type.Optional(
      Type.Boolean({ description: 'tell buyers of every change; default false' }),
    ),
    intakeOnly: Type.Optional(
      Type.Boolean({
        description:
          'refuse purchases that have not come through the intake; default: whether the event asks for it',
      }),
    ),
  },
  { ...strict, description: 'capacity or layout' },
);

export const inventorySchema = Type.Object({
  eventId: idSchema,
  zoneId: idSchema,
  capacity: Type.Integer(),
  available: Type.Integer(),
  held: Type.Integer(),
  sold: Type.Integer(),
  version: Type.Integer(),
});

export const zoneSchema = Type.Object({
  ...inventorySchema.properties,
  sale: Type.Enum(['open', 'paused', 'closed']),
  quantityMax: Type.Integer(),
  checkout: checkoutSchema,
  price: Type.Optional(moneySchema),
  holdMs: Type.Optional(Type.Integer()),
  latePayment: Type.Optional(latePaymentSchema),
  customerMax: Type.Optional(Type.Integer()),
  opensAt: Type.Optional(timeSchema),
  closesAt: Type.Optional(timeSchema),
  fees: Type.Optional(feesSchema),
  tiers: Type.Optional(tiersSchema),
  layout: Type.Optional(Type.Object(dimensions)),
  notify: Type.Optional(Type.Boolean()),
  intakeOnly: Type.Optional(Type.Boolean()),
});

export const saleRequestSchema = Type.Object(
  {
    state: Type.Optional(Type.Enum(['open', 'paused', 'closed'])),
    opensAt: Type.Optional(Type.Union([writtenTimeSchema, Type.Null()])),
    closesAt: Type.Optional(Type.Union([writtenTimeSchema, Type.Null()])),
  },
  {
    ...strict,
    minProperties: 1,
    description: 'a state, or the window: what is left out of it has no bound',
  },
);

export const capacityRequestSchema = Type.Object({ capacity: capacitySchema }, strict);

export const voucherRequestSchema = Type.Object(
  {
    percentOff: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    amountOffMinor: Type.Optional(amountSchema),
    usesMax: Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'purchases' }),
  },
  { ...strict, description: 'first the percentage is taken off the tickets, then the amount' },
);

export const voucherSchema = Type.Object({
  eventId: idSchema,
  zoneId: idSchema,
  code: idSchema,
  percentOff: Type.Integer(),
  amountOffMinor: Type.Integer(),
  uses: Type.Integer({ description: 'by purchases that are held or confirmed' }),
  usesMax: Type.Integer(),
});

export interface ZoneBody {
  readonly capacity?: number;
  readonly quantityMax?: number;
  readonly price?: Money;
  readonly checkout?: ZoneTerms['checkout'];
  readonly holdMs?: number;
  readonly latePayment?: ZoneTerms['latePayment'];
  readonly customerMax?: number;
  readonly opensAt?: string;
  readonly closesAt?: string;
  readonly fees?: Fees;
  readonly tiers?: readonly PriceTier[];
  readonly layout?: SeatLayout & { readonly blocked?: readonly string[] };
  readonly notify?: boolean;
  readonly intakeOnly?: boolean;
}

export type WantedZone = Pick<
  CreateZoneCommand,
  'capacity' | 'quantityMax' | 'price' | 'terms' | 'blockedSeats'
>;

/** `capacity` is -1 when the body has neither a capacity nor a layout. Throws 422 for a time that is none. */
export function wantedZone(body: ZoneBody): WantedZone {
  const { layout, quantityMax = 10, price = null } = body;
  const blockedSeats = layout?.blocked ?? [];
  const seats = layout === undefined ? -1 : layout.rows * layout.columns - blockedSeats.length;
  return {
    capacity: body.capacity ?? seats,
    quantityMax,
    price,
    terms: termsOf(body),
    blockedSeats,
  };
}

/** null = those of a zone that has none. */
function termsOf(body: ZoneBody): ZoneTerms | null {
  const { checkout = 'immediate', opensAt, closesAt, layout } = body;
  const terms: ZoneTerms = {
    checkout,
    holdMs: body.holdMs ?? (checkout === 'hold' ? HOLD_MS_DEFAULT : 0),
    latePayment: body.latePayment ?? 'refund',
    customerMax: body.customerMax ?? 0,
    opensAtMs: timeOrNull(opensAt, '/opensAt'),
    closesAtMs: timeOrNull(closesAt, '/closesAt'),
    fees: body.fees ?? null,
    tiers: body.tiers ?? [],
    layout: layout === undefined ? null : { rows: layout.rows, columns: layout.columns },
    notify: body.notify ?? false,
    intakeOnly: body.intakeOnly ?? false,
  };
  return isSameTerms(terms, PLAIN_TERMS) ? null : terms;
}

export function inventoryView(zone: Zone): Record<string, unknown> {
  const { eventId, zoneId, capacity, held, sold, version } = zone;
  return { eventId, zoneId, capacity, available: available(zone), held, sold, version };
}

export function zoneView(zone: Zone): Record<string, unknown> {
  return { ...inventoryView(zone), sale: zone.sale, ...definitionView(zone) };
}

/** What was asked for when the zone was created, as far as it has not been changed since. */
export function definitionView({
  quantityMax,
  price,
  terms,
}: Pick<Zone, 'quantityMax' | 'price' | 'terms'>): Record<string, unknown> {
  return {
    quantityMax,
    checkout: terms === null ? 'immediate' : terms.checkout,
    ...(price === null ? {} : { price: moneyView(price) }),
    ...(terms === null ? {} : termsView(terms)),
  };
}

function termsView(terms: ZoneTerms): Record<string, unknown> {
  const { checkout, holdMs, latePayment, customerMax, opensAtMs, closesAtMs, fees } = terms;
  const { tiers, layout, notify, intakeOnly } = terms;
  return {
    ...(checkout === 'hold' || holdMs > 0 ? { holdMs } : {}),
    ...(checkout === 'hold' ? { latePayment } : {}),
    ...(customerMax === 0 ? {} : { customerMax }),
    ...(opensAtMs === null ? {} : { opensAt: new Date(opensAtMs).toISOString() }),
    ...(closesAtMs === null ? {} : { closesAt: new Date(closesAtMs).toISOString() }),
    ...(fees === null
      ? {}
      : { fees: { perTicketMinor: fees.perTicketMinor, perPurchaseMinor: fees.perPurchaseMinor } }),
    ...(tiers.length === 0 ? {} : { tiers: tiers.map(tierView) }),
    ...(layout === null ? {} : { layout: { rows: layout.rows, columns: layout.columns } }),
    ...(notify ? { notify } : {}),
    ...(intakeOnly ? { intakeOnly } : {}),
  };
}

function tierView({ fromSoldPermille, amountMinor }: PriceTier): PriceTier {
  return { fromSoldPermille, amountMinor };
}

export function voucherView(voucher: Voucher): Record<string, unknown> {
  const { eventId, zoneId, code, percentOff, amountOffMinor, uses, usesMax } = voucher;
  return { eventId, zoneId, code, percentOff, amountOffMinor, uses, usesMax };
}
