/** What our own sale tells of its restore while it starts, looked at over HTTP. */

/** Each look costs the app something. */
const LOOK_EVERY_MS = 100;
const GIVE_UP_AFTER_MS = 600_000;

interface TaskList {
  readonly state: string;
  readonly items: readonly {
    readonly taskId: string;
    readonly status: string;
    readonly remainingRestoreRecords: number;
    readonly restoreTotalRecords: number;
  }[];
}

export class RestoreWatch {
  readonly #url: string;
  readonly #process: { readonly hasEnded: boolean };
  readonly #totals = new Map<string, number>();
  #beganMs: number | undefined;
  #endedMs = 0;
  restored = 0;

  constructor(url: string, process: { readonly hasEnded: boolean }) {
    this.#url = url;
    this.#process = process;
  }

  /** Changelog records that had to be restored, of all tasks. */
  get total(): number {
    return [...this.#totals.values()].reduce((sum, total) => sum + total, 0);
  }

  /** From the first look that saw a restore to the one that saw everything running; 0 = none seen. */
  get seconds(): number {
    return this.#beganMs === undefined ? 0 : (this.#endedMs - this.#beganMs) / 1_000;
  }

  async untilRunning(): Promise<void> {
    const deadlineMs = performance.now() + GIVE_UP_AFTER_MS;
    while (performance.now() < deadlineMs) {
      const answer = await fetch(`${this.#url}/v1/metadata/tasks`).catch(() => undefined);
      if (answer?.ok === true && this.#look((await answer.json()) as TaskList)) return;
      if (this.#process.hasEnded) throw new Error('the app has ended');
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new Error('the app does not become RUNNING');
  }

  #look({ state, items }: TaskList): boolean {
    const nowMs = performance.now();
    let restoring = 0;
    for (const { taskId, status, restoreTotalRecords } of items) {
      if (status !== 'restoring') continue;
      restoring++;
      this.#totals.set(taskId, restoreTotalRecords);
    }
    this.#beganMs ??= restoring > 0 ? nowMs : undefined;
    const remaining = items.reduce((sum, task) => sum + task.remainingRestoreRecords, 0);
    this.restored = Math.max(this.restored, this.total - remaining);
    this.#endedMs = nowMs;
    return state === 'RUNNING' && restoring === 0 && items.length > 0;
  }
}
