/** What others ask of a loop: run by the loop between two slices, awaited by who asked. */

export type CommandKind = 'assigned' | 'revoked' | 'lost';

interface Command {
  readonly kind: CommandKind;
  readonly run: () => Promise<void>;
  readonly done: () => void;
}

export class CommandQueue {
  readonly #wakeup: () => void;
  #commands: Command[] = [];
  #closed = false;

  constructor(wakeup: () => void) {
    this.#wakeup = wakeup;
  }

  /** A loss is waiting to be carried out. */
  get hasLoss(): boolean {
    return this.#commands.some(({ kind }) => kind === 'lost');
  }

  /** Resolves when it has been run (or never will be, after close). A failure is the loop's, not the asker's. */
  push(kind: CommandKind, run: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#commands.push({ kind, run, done: resolve });
      this.#wakeup();
    });
  }

  /** Runs the first that waits; false when there is none. Rejects with its failure. */
  async runNext(): Promise<boolean> {
    const command = this.#commands[0];
    if (command === undefined) return false;
    try {
      await command.run();
    } finally {
      this.#commands.shift();
      command.done();
    }
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const { done } of this.#commands.splice(0)) done();
  }
}
