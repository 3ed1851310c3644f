import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';

/**
 * Changes when the machine restarts, not when the process does: after a change, whatever was not
 * synced may be gone. Where the kernel does not name its boots, the time of boot stands in; if a
 * clock correction shifts that, a state is replayed from its flushed position for nothing.
 */
export async function readBootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return `booted-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  }
}
