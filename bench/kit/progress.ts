/** Progress bars on stderr while something runs; silent when nobody watches. */
import cliProgress from 'cli-progress';

export interface Progress {
  /** Shows `value()` of `total` until the work ends, whichever way. */
  during<T>(what: string, total: number, value: () => number, work: Promise<T>): Promise<T>;
}

const REFRESH_MS = 200;

export const noProgress: Progress = { during: (_what, _total, _value, work) => work };

export const progressBars: Progress = {
  during: async (what, total, value, work) => {
    const bar = new cliProgress.SingleBar(
      {
        format: '  {what} [{bar}] {value}/{total} {duration_formatted}',
        stream: process.stderr,
        hideCursor: true,
      },
      cliProgress.Presets.shades_classic,
    );
    bar.start(total, 0, { what: what.padEnd(24) });
    const refresh = setInterval(() => bar.update(Math.min(total, value())), REFRESH_MS);
    try {
      return await work;
    } finally {
      clearInterval(refresh);
      bar.update(Math.min(total, value()));
      bar.stop();
    }
  },
};
