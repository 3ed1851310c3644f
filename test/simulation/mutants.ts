/**
 * Planted bugs. Each stands between the engine, or the broker, and its ports: production code has no
 * switch for them. The simulation is worth what it kills of these.
 */
import type { BrokerMutation } from '../../simulation/nodes/broker-node.ts';
import type { EngineMutation } from '../../simulation/nodes/engine-node.ts';
import type { Scenario, ScenarioOfSeed } from '../../simulation/scenario.ts';
import { type RunResult, type SimulateOptions, simulate } from '../../simulation/simulate.ts';
import { BESIDE_MUTANTS } from './mutants/beside-mutants.ts';
import { FENCING_MUTANTS } from './mutants/fencing-mutants.ts';
import { ORDER_MUTANTS } from './mutants/order-mutants.ts';
import { RESTORE_MUTANTS } from './mutants/restore-mutants.ts';
import { STATE_MUTANTS } from './mutants/state-mutants.ts';
import { TRANSACTION_MUTANTS } from './mutants/transaction-mutants.ts';
import { sale } from './simulate.ts';

export type Mutation = EngineMutation & BrokerMutation;

export interface Mutant {
  readonly name: string;
  /** The bug, in one sentence. */
  readonly what: string;
  /** In which it must show; default: the sale. */
  readonly scenario?: Scenario | ScenarioOfSeed;
  /** Anew for every run: a mutation may remember things. */
  mutation(): Mutation;
}

export const MUTANTS: readonly Mutant[] = [
  ...FENCING_MUTANTS,
  ...TRANSACTION_MUTANTS,
  ...RESTORE_MUTANTS,
  ...STATE_MUTANTS,
  ...ORDER_MUTANTS,
  ...BESIDE_MUTANTS,
];

/** Throws when there is none of that name. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((each) => each.name === name);
  if (mutant !== undefined) return mutant;
  throw new Error(`no mutant ${name}; there are ${MUTANTS.map((each) => each.name).join(', ')}`);
}

/** The same without the bug: what it does not pass says nothing about the bug. */
export function unmutated(mutant: Mutant): Mutant {
  return { ...mutant, mutation: () => ({}) };
}

/** One run with the bug in it. */
export function simulateMutant(
  mutant: Mutant,
  options: Omit<SimulateOptions, 'mutation'>,
): Promise<RunResult> {
  return simulate(mutant.scenario ?? sale, { ...options, mutation: mutant.mutation() });
}
