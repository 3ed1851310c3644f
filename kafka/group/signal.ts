/** Something that happens again and again: wait() resolves at the next fire(). */
export class Signal {
  #next = Promise.withResolvers<void>();

  wait(): Promise<void> {
    return this.#next.promise;
  }

  fire(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }
}
