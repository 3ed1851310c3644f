/** The command lines of the long programs: --help, and an error that tells what there is. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

type Values<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: T }>
>['values'];

/** Options whose value is a count: 1 or more. */
const COUNTS = new Set(['seeds', 'from', 'seed', 'threads']);

/** Ends the process: with 0 after --help, with 2 when the arguments make no sense. */
export function commandLine<T extends ParseArgsOptionsConfig>(help: string, options: T): Values<T> {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    const { values } = parseArgs<{ options: T }>({ options });
    for (const [name, value] of Object.entries(values)) {
      if (COUNTS.has(name) && !/^[1-9]\d*$/.test(String(value))) {
        throw new Error(`--${name} wants a count, not '${value}'`);
      }
    }
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    process.exit(2);
  }
}
