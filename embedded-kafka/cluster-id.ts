/** The cluster's id: made once, kept in the data directory. */
import { MillraceError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Disk } from './ports.ts';

const CLUSTER_ID_FILE = 'cluster-id';

/** 22 characters, as Kafka's. Throws STATE_DIR_UNUSABLE when the file is not what we wrote. */
export function openClusterId(disk: Disk, random: Random): string {
  if (disk.exists(CLUSTER_ID_FILE)) {
    const file = disk.open(CLUSTER_ID_FILE, { create: false });
    const text = file.read(0, file.sizeBytes()).toString('utf8').trim();
    file.close();
    if (/^[\w-]{22}$/.test(text)) return text;
    throw new MillraceError('STATE_DIR_UNUSABLE', `${CLUSTER_ID_FILE} does not hold a cluster id`, {
      hint: 'Delete the file to let the broker make a new id; clients will see another cluster.',
    });
  }
  const clusterId = random.bytes(16).toString('base64url');
  disk.writeAtomically(CLUSTER_ID_FILE, Buffer.from(`${clusterId}\n`));
  return clusterId;
}
