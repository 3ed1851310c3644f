/**
 * Planted bugs. Each stands between the engine, or the broker, and its ports: production code has no
 * switch for them. The simulation is worth what it kills of these.
 */
import type { BrokerMutation } from '../../simulation/nodes/broker-node.ts';
import type { EngineMutation } from '../../simulation/nodes/engine-node.ts';
import { CLIENT_MUTANTS } from './mutants/client-mutants.ts';
import { STATE_MUTANTS } from './mutants/state-mutants.ts';
import { WIRE_MUTANTS } from './mutants/wire-mutants.ts';

export type Mutation = EngineMutation & BrokerMutation;

export interface Mutant {
  readonly name: string;
  /** The bug, in one sentence. */
  readonly what: string;
  /** Anew for every run: a mutation may remember things. */
  mutation(): Mutation;
}

export const MUTANTS: readonly Mutant[] = [...WIRE_MUTANTS, ...CLIENT_MUTANTS, ...STATE_MUTANTS];

/** Throws when there is none of that name. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((each) => each.name === name);
  if (mutant !== undefined) return mutant;
  throw new Error(`no mutant ${name}; there are ${MUTANTS.map((each) => each.name).join(', ')}`);
}
