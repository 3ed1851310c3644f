/**
 * Where peers may be. Entries: `host`, `host:port`, `*.domain`, `*.domain:port`; a name is compared
 * as it is written, without looking it up. Whatever is not a plain host and port is refused.
 */
import { MillraceError } from '../base/errors.ts';
import type { HostInfo } from './queryable-streams.ts';

/** A name, an IPv4 address in four decimal parts, or an IPv6 address in brackets. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])$/;
const ENTRY = /^(\*\.)?([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/;

interface Entry {
  readonly isDomain: boolean;
  readonly host: string;
  readonly port: number | undefined;
}

export class PeerAddresses {
  readonly #entries: readonly Entry[];

  /** Throws CONFIG_INVALID for what is not an entry. */
  constructor(entries: readonly string[]) {
    this.#entries = entries.map(parseEntry);
  }

  allow({ host, port }: HostInfo): boolean {
    if (!HOST.test(host) || !Number.isInteger(port) || port < 1 || port > 65_535) return false;
    const name = host.toLowerCase();
    return this.#entries.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) &&
        (entry.isDomain ? name.endsWith(`.${entry.host}`) : name === entry.host),
    );
  }
}

export function isPeerEntry(text: string): boolean {
  const match = ENTRY.exec(text);
  return match !== null && (match[3] === undefined || isPort(Number(match[3])));
}

function parseEntry(text: string): Entry {
  const match = ENTRY.exec(text);
  if (match === null || !isPeerEntry(text)) {
    throw new MillraceError('CONFIG_INVALID', `${text} is not an address of peers`, {
      hint: 'PEER_ALLOW takes host, host:port, *.domain and *.domain:port.',
    });
  }
  const port = match[3] === undefined ? undefined : Number(match[3]);
  return { isDomain: match[1] !== undefined, host: match[2]!.toLowerCase(), port };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}
