/** Instances that come and go all the time: one stays and sells, two others never stay for long. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeRequest } from '../../../kafka/protocol/codec.ts';
import { heartbeatApi } from '../../../kafka/protocol/messages/heartbeat.ts';
import type { PassingRequest } from '../../kit/link-proxy.ts';
import type { InstanceName } from '../kit/ground.ts';
import type { Stage } from '../kit/stage.ts';
import { expect, type Scenario } from '../scenario.ts';

const GENERATIONS = 20;
const STAYS_MS = 3_000;
const AWAY_MS = 1_000;
/** A machine that is very busy, but not one that stands still. */
const LIFES_MAX = 60;
const AFTER = 200;

/** Generations of the group, by the heartbeats of one instance. */
class Generations {
  #first: number | undefined;
  #last = 0;
  readonly #groupId: string;

  constructor(groupId: string) {
    this.#groupId = groupId;
  }

  get count(): number {
    return this.#first === undefined ? 0 : this.#last - this.#first;
  }

  see({ header, frame }: PassingRequest): void {
    if (header.apiKey !== heartbeatApi.key) return;
    const beat = decodeRequest(heartbeatApi, header.apiVersion, frame, header.bodyAt);
    if (beat.groupId !== this.#groupId) return;
    this.#first ??= beat.generationId;
    this.#last = Math.max(this.#last, beat.generationId);
  }
}

/** One guest, coming and going until it is enough; every other time it is killed, and its disk is lost. */
async function comeAndGo(
  stage: Stage,
  name: InstanceName,
  isEnough: () => boolean,
  lives: { orderly: number; killed: number },
): Promise<void> {
  const guest = await stage.instance(name);
  for (let life = 0; !isEnough() && life < LIFES_MAX; life++) {
    guest.start();
    await guest.ready();
    await sleep(Math.random() * STAYS_MS);
    if (life % 2 === 0) {
      await guest.kill('SIGTERM');
      lives.orderly++;
    } else {
      await guest.kill('SIGKILL');
      // With its state it would be the same member again, and nobody would notice.
      rmSync(join(stage.directory, name, 'state'), { recursive: true, force: true });
      lives.killed++;
    }
    await sleep(Math.random() * AWAY_MS);
  }
  // Judged without it: a member that left without a word is in the group for a session yet.
  await guest.kill('SIGTERM');
}

export const stormScenarios: readonly Scenario[] = [
  {
    name: 'rebalance-storm',
    about: 'two instances join and leave, orderly or killed, all the time, beside one that stays',
    on: 'kafka',
    run: async (stage) => {
      await stage.started('one');
      await stage.open({ zoneCapacity: 500 });
      const generations = new Generations(stage.applicationId);
      for (const link of stage.links('one')) {
        link.gate = (request) => {
          generations.see(request);
          return 'forward';
        };
      }
      const isEnough = () => generations.count >= GENERATIONS;
      const lives = { orderly: 0, killed: 0 };
      const guests = (['two', 'three'] as const).map((name) =>
        comeAndGo(stage, name, isEnough, lives),
      );
      await Promise.all(guests);
      for (const link of stage.links('one')) link.gate = undefined;
      expect(isEnough(), `${GENERATIONS} generations, not ${generations.count}`);
      await stage.load.decidesMore(AFTER);
      return {
        generations: generations.count,
        'left orderly': lives.orderly,
        killed: lives.killed,
        'longest wait for a decision, ms': stage.load.longestGapMs,
      };
    },
  },
];
