/**
 * Commands of life zones, in log order, until they are followed: those of purchases wait for their
 * outcomes, those of operators and the dead ones have none.
 */
import type { Findings } from '../../findings.ts';
import type { CommandFields, CommandKind, PurchaseRecord } from '../../records/sale-records.ts';
import { type Prediction, type PurchaseKind, predictCommand } from '../judging/predict-command.ts';
import { keyOf, type LifeState } from '../life-state.ts';
import { alterZone, type ZoneKind } from './zone-commands.ts';

export type LetterState = 'none' | 'same' | 'different';

export interface LifeCommand {
  readonly kind: CommandKind;
  readonly fields: CommandFields;
  readonly offset: number;
  readonly timeMs: number;
  readonly letter: LetterState;
}

export interface CommandQueueContext {
  readonly findings: Findings;
  readonly commandPlace: (offset: number) => string;
}

export class CommandQueue {
  readonly #context: CommandQueueContext;
  readonly #state: LifeState;
  readonly #commands: LifeCommand[] = [];
  /** Purchases that were asked for here, decided or not. */
  readonly #asked = new Set<string>();

  constructor(context: CommandQueueContext, state: LifeState) {
    this.#context = context;
    this.#state = state;
  }

  get first(): LifeCommand | undefined {
    return this.#commands[0];
  }

  get length(): number {
    return this.#commands.length;
  }

  push(command: LifeCommand): void {
    const { kind, fields, letter } = command;
    this.#commands.push(command);
    const isRequest = kind === 'Purchase' || kind === 'RejectPurchase';
    if (isRequest && letter === 'none') this.#asked.add(fields.purchaseId);
  }

  wasAskedFor(purchaseId: string): boolean {
    return this.#asked.has(purchaseId);
  }

  /** The first one has its outcome. */
  take(): void {
    const command = this.#commands.shift();
    if (command !== undefined) this.#state.followed(command.timeMs);
  }

  /** Follows what has no outcome, up to the next one that must have one. */
  settle(): void {
    for (let { first } = this; first !== undefined && this.#isSilent(first); { first } = this) {
      this.take();
    }
  }

  /** Makes the next command of this purchase the first one: those before it have no outcome. */
  passUntil(purchaseId: string): boolean {
    const index = this.#commands.findIndex(({ fields }) => fields.purchaseId === purchaseId);
    if (index < 0) return false;
    for (const command of this.#commands.splice(0, index)) this.#isMissing(command);
    return true;
  }

  predict({ kind, fields, offset, timeMs }: LifeCommand, found?: PurchaseRecord): Prediction {
    const { zones, purchases } = this.#state;
    const known = purchases.get(fields.purchaseId)?.record;
    const command = { kind: kind as PurchaseKind, fields };
    return predictCommand(zones.get(keyOf(fields)), known, command, { offset, timeMs }, found);
  }

  /** Whatever waits still waits in vain. */
  end(): void {
    for (const command of this.#commands) this.#isMissing(command);
  }

  #isMissing({ kind, fields, offset }: LifeCommand): void {
    if (!isOfPurchase(kind)) return;
    const what = `the command for ${fields.purchaseId} has no outcome`;
    this.#context.findings.violated('I7', this.#context.commandPlace(offset), what);
  }

  /** Followed here, and without an outcome. */
  #isSilent(command: LifeCommand): boolean {
    const { kind, fields, offset, letter } = command;
    if (!isOfPurchase(kind)) {
      const { zones } = this.#state;
      const flaw = alterZone(zones, kind as ZoneKind, fields, offset, letter !== 'none');
      this.#letter(letter, flaw, offset);
      return true;
    }
    if (letter === 'none') return false;
    const prediction = this.predict(command);
    this.#letter(letter, prediction.kind === 'dead-letter' ? prediction.why : undefined, offset);
    return true;
  }

  /** `why`: the command belongs with the dead letters. */
  #letter(letter: LetterState, why: string | undefined, offset: number): void {
    const { findings, commandPlace } = this.#context;
    const place = commandPlace(offset);
    findings.checked('I7');
    if (why !== undefined && letter === 'none') {
      findings.violated('I7', place, `the command has neither outcome nor dead letter (${why})`);
    } else if (why === undefined && letter !== 'none') {
      findings.violated('I9', place, 'the command is a dead letter, and could be used');
    } else if (letter === 'different') {
      findings.violated('I21', place, 'its dead letter has not its bytes');
    }
  }
}

function isOfPurchase(kind: CommandKind): kind is PurchaseKind {
  return PURCHASE_KINDS.has(kind);
}

const PURCHASE_KINDS: ReadonlySet<CommandKind> = new Set([
  'Purchase',
  'CancelPurchase',
  'ExtendHold',
  'ConfirmHold',
  'RejectPurchase',
]);
