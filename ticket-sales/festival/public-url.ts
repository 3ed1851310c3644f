/**
 * Where clients find the festival's API. A Host header is whatever its sender likes: it counts only
 * where it names this instance, else our own address does.
 */
export interface FestivalAddress {
  /** As configured: scheme, authority and path; undefined = made from the request. */
  readonly publicUrl: string | undefined;
  readonly basePath: string;
  /** This instance's host names, in lower case, as they stand in URLs. */
  readonly ownHosts: ReadonlySet<string>;
  /** Where other instances reach this one. */
  readonly self: { readonly host: string; readonly port: number };
}

export interface AskedAt {
  /** The Host header. */
  readonly host: string | undefined;
  /** Of the connection. */
  readonly localPort: number | undefined;
}

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?$/;
const HTTP_PORT = 80;

/** The base URL that clients use, without a slash at its end. */
export function festivalUrl(address: FestivalAddress, asked: AskedAt): string {
  const { publicUrl, basePath, self } = address;
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const authority = isOurs(address, asked) ? asked.host : `${self.host}:${self.port}`;
  return `http://${authority}${basePath}`;
}

function isOurs({ ownHosts, self }: FestivalAddress, { host = '', localPort }: AskedAt): boolean {
  const match = AUTHORITY.exec(host);
  if (match === null) return false;
  const [, name = '', port = HTTP_PORT] = match;
  return ownHosts.has(name.toLowerCase()) && [self.port, localPort].includes(Number(port));
}
