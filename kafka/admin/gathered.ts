/**
 * Questions that many ask at about the same time, put to one broker together: while a request is out, what
 * is asked meanwhile is gathered for the next. Tasks that start together ask so for the bounds of their
 * changelogs. Nobody waits longer than he would on the connection that they share, and no answer is
 * older than its question.
 */
interface Question<Item, Answer> {
  readonly items: readonly Item[];
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Gathered<Item, Answer> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Answer[]>;
  readonly #keyOf: (about: Item | Answer) => string;
  readonly #onIdle: () => void;
  #waiting: Question<Item, Answer>[] = [];
  #isRunning = false;

  /** `onIdle` is called when every question has been answered. */
  constructor(
    send: (items: readonly Item[]) => Promise<readonly Answer[]>,
    keyOf: (about: Item | Answer) => string,
    onIdle: () => void,
  ) {
    this.#send = send;
    this.#keyOf = keyOf;
    this.#onIdle = onIdle;
  }

  /** What the broker has answered for these; fewer when it leaves some out. Rejects as the request does. */
  ask(items: readonly Item[]): Promise<readonly Answer[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Answer[]>();
    this.#waiting.push({ items, resolve, reject });
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Later in this turn: what is asked in it goes out together.
      queueMicrotask(() => void this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const questions = this.#waiting;
      this.#waiting = [];
      await this.#put(questions);
    }
    this.#isRunning = false;
    this.#onIdle();
  }

  async #put(questions: readonly Question<Item, Answer>[]): Promise<void> {
    const items = new Map<string, Item>();
    for (const question of questions) {
      for (const item of question.items) items.set(this.#keyOf(item), item);
    }
    try {
      const answers = new Map<string, Answer>();
      for (const answer of await this.#send([...items.values()])) {
        answers.set(this.#keyOf(answer), answer);
      }
      for (const question of questions) {
        question.resolve(question.items.flatMap((item) => answers.get(this.#keyOf(item)) ?? []));
      }
    } catch (error) {
      for (const question of questions) question.reject(error);
    }
  }
}
