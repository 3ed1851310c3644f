/** What is drawn from chance. */
import type { Random } from '../../base/random.ts';

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}

/** Uniform between the bounds, in whole thousandths. */
export function between(random: Random, min: number, max: number): number {
  return min + Math.round(random.next() * (max - min) * 1000) / 1000;
}

/** A whole number from `min` up to and with `max`. */
export function pick(random: Random, min: number, max: number): number {
  return min + Math.floor(random.next() * (max - min + 1));
}
