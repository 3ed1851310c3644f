/** Lets at most so many be inside at once; the first failure inside is thrown at whoever comes next. */
export class Gate {
  readonly #most: number;
  #inside = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  enter(): Promise<void> {
    return this.#until(() => this.#inside < this.#most).then(() => {
      this.#inside++;
    });
  }

  leaveAfter(work: Promise<unknown>): void {
    work.then(
      () => this.#left(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#left();
      },
    );
  }

  empty(): Promise<void> {
    return this.#until(() => this.#inside === 0);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #left(): void {
    this.#inside--;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
