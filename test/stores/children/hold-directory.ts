/** Opens the state directory in argv[2], says its process id, and keeps it. */
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { openStateDirectory } from '../../../stores/state-directory.ts';

const directory = await openStateDirectory({
  root: process.argv[2]!,
  applicationId: 'app',
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});
process.stdout.write(`${directory.processId}\n`);
setInterval(() => {}, 1_000_000);
