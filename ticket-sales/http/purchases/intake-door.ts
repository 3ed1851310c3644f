/**
 * Which way a purchase goes: straight to its zone, or through the intake when its event counts what
 * buyers have or sells to registered customers only. What is known of an event is kept for a moment;
 * while nobody can say, a purchase goes through the intake, which knows.
 */
import type { Clock } from '../../../base/clock.ts';
import { isMillraceError } from '../../../base/errors.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import { changedRequest, type RouteRequest } from '../../../interactive-queries/http/route.ts';
import { INTAKE_TOPIC } from '../../intake/intake-topology.ts';
import { asksForIntake, type EventRoutesDeps, getEvent } from '../events/event-reads.ts';
import { asGet, read } from '../own-reads.ts';

export interface IntakeDoorDeps extends Pick<EventRoutesDeps, 'streams' | 'routing' | 'commands'> {
  readonly clock: Clock;
}

const KNOWN_MS = 10_000;
const KNOWN_MAX = 10_000;

interface Known {
  readonly isIntake: boolean;
  readonly untilMs: number;
}

export class IntakeDoor {
  readonly #deps: IntakeDoorDeps;
  readonly #known = new Map<string, Known>();
  /** By event: what is being asked now, for all who want to know. */
  readonly #asking = new Map<string, Promise<boolean>>();

  /** Keyed by buyer. */
  readonly topic: EventRoutesDeps['commands'];

  constructor(deps: IntakeDoorDeps) {
    this.#deps = deps;
    this.topic = { topic: INTAKE_TOPIC, serde: deps.commands.serde };
  }

  /** A promise only where the event has to be asked for. */
  wants(eventId: string, request: RouteRequest): boolean | Promise<boolean> {
    const nowMs = this.#deps.clock.monotonicMs();
    const known = this.#known.get(eventId);
    if (known !== undefined && nowMs < known.untilMs) return known.isIntake;
    return this.#asking.get(eventId) ?? this.#ask(eventId, request, nowMs);
  }

  /** Once for all: an event is read with its zones, and under load hundreds come before it is. */
  #ask(eventId: string, request: RouteRequest, nowMs: number): Promise<boolean> {
    const asking = this.#learn(eventId, request, nowMs).finally(() => this.#asking.delete(eventId));
    this.#asking.set(eventId, asking);
    return asking;
  }

  async #learn(eventId: string, request: RouteRequest, nowMs: number): Promise<boolean> {
    try {
      const plain = asGet(request, `/v1/events/${eventId}`);
      const asked = changedRequest(plain, { params: { eventId } });
      const event = await read(() => getEvent(this.#deps, asked));
      const isIntake = event !== undefined && asksForIntake(event);
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      this.#known.set(eventId, { isIntake, untilMs: nowMs + KNOWN_MS });
      return isIntake;
    } catch (error) {
      if (error instanceof Problem || isMillraceError(error)) return true;
      throw error;
    }
  }
}
