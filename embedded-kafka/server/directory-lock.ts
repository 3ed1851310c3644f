/**
 * One broker per data directory. The lock is a local socket named after the directory's identity (device
 * and inode, so that another path to it is the same directory): only one process can listen on it, and
 * it is gone with the process, however that dies.
 *
 * It excludes processes of one machine; a directory shared between machines is not protected.
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { MillraceError } from '../../base/errors.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Rejects with STATE_DIR_LOCKED, or STATE_DIR_UNUSABLE when the directory cannot be used. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const name = socketName(identityOf(directory));
  const server =
    (await tryListen(name)) ?? ((await isStale(name)) ? await tryListen(name) : undefined);
  if (server === undefined) {
    throw new MillraceError('STATE_DIR_LOCKED', `${directory} is used by another broker`, {
      hint: 'Stop the other process, or give this one a data directory of its own.',
      facts: { directory },
    });
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function identityOf(directory: string): string {
  try {
    fs.mkdirSync(directory, { recursive: true });
    const { dev, ino } = fs.statSync(directory, { bigint: true });
    return `millrace-broker-${dev}-${ino}`;
  } catch (cause) {
    throw new MillraceError('STATE_DIR_UNUSABLE', `cannot use ${directory} for data`, {
      cause,
      hint: 'Choose a directory that this process may create and write.',
      facts: { directory },
    });
  }
}

function socketName(identity: string): string {
  switch (process.platform) {
    case 'linux':
      // The abstract namespace: no file to leave behind.
      return `\0${identity}`;
    case 'win32':
      return `\\\\.\\pipe\\${identity}`;
    default:
      return path.join(os.tmpdir(), `${identity}.lock`);
  }
}

function tryListen(name: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });
}

/** Where sockets are files, a dead owner leaves one: nobody answers there, and it is removed. */
async function isStale(name: string): Promise<boolean> {
  if (process.platform === 'linux' || process.platform === 'win32') return false;
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = net.connect(name, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (!isAnswered) fs.rmSync(name, { force: true });
  return !isAnswered;
}
