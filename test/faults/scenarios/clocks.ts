/**
 * Wall clocks that are set, and that differ. Log time decides, and only monotonic clocks count: holds
 * must live and end as if nothing had happened.
 */
import type { InstanceName } from '../kit/ground.ts';
import type { Stage } from '../kit/stage.ts';
import type { LifeCrowd } from '../load/life-crowd.ts';
import { type Evidence, expect, type GroundName, type Scenario } from '../scenario.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const NO_PAYMENTS = { PAYMENTS: 'off' };

/** What the clock shows too much, one after the other, while the next share of the guests comes and goes. */
async function set(
  stage: Stage,
  guests: LifeCrowd,
  errorsMs: readonly number[],
  names: readonly InstanceName[],
): Promise<Evidence> {
  let jumps = 0;
  for (const [index, errorMs] of errorsMs.entries()) {
    for (const [place, name] of names.entries()) {
      // The second instance is as wrong the other way: they differ by twice as much.
      const before = await stage.logged('the clock jumps by', name);
      stage.setClock(place === 0 ? errorMs : -errorMs, name);
      jumps += (await stage.hasLogged('the clock jumps by', name, before + 1)) - before;
    }
    stage.say(`clocks are wrong by ${errorMs / MINUTE_MS} minutes`);
    await guests.isGone((index + 1) / (errorsMs.length + 1));
  }
  expect(jumps > 0, 'clocks that jump');
  return { 'jumps seen by threads': jumps };
}

const scenario = (
  parts: Pick<Scenario, 'name' | 'about'> & { readonly on: GroundName },
  run: Scenario['run'],
): Scenario => ({ ...parts, env: NO_PAYMENTS, preloads: ['clock-jumps'], run });

export const clockScenarios: readonly Scenario[] = [
  scenario(
    {
      name: 'clock-jumps',
      about:
        'the wall clock of the only instance set 1 h ahead, 5 min back, 1 h back, and right again',
      on: 'kafka',
    },
    async (stage) => {
      await stage.started();
      const guests = await stage.openLife();
      return set(stage, guests, [HOUR_MS, -5 * MINUTE_MS, -HOUR_MS, 0], ['one']);
    },
  ),
  scenario(
    {
      name: 'clock-skew',
      about: 'two instances whose wall clocks differ by up to 2 h, each way, while holds run out',
      on: 'kafka',
    },
    async (stage) => {
      await stage.started('one');
      const guests = await stage.openLife();
      await stage.started('two');
      return set(stage, guests, [HOUR_MS, -HOUR_MS, 0], ['one', 'two']);
    },
  ),
  scenario(
    {
      name: 'clock-ahead-embedded',
      about:
        'the clock of the app and of the embedded broker, which stamps log time, set 10 min ahead',
      on: 'embedded',
    },
    async (stage) => {
      await stage.started();
      const guests = await stage.openLife();
      await guests.isGone(0.3);
      return set(stage, guests, [10 * MINUTE_MS], ['one']);
    },
  ),
];
