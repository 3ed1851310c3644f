/** What the parts of the Kafka client take from outside: time, randomness, a log. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';

export interface ClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
