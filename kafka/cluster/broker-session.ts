/**
 * One connection on which the versions have been agreed: what a broker speaks is asked first on every
 * connection, because a rolling upgrade changes it from one to the next.
 */
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Api } from '../protocol/api.ts';
import { decodeResponse, encodeRequest } from '../protocol/codec.ts';
import { Errors, errorName } from '../protocol/error-codes.ts';
import { apiVersionsApi } from '../protocol/messages/api-versions.ts';
import type { ApiRange, BrokerAddress, BrokerConnection, BrokerConnector } from '../wire.ts';

export interface BrokerSession {
  readonly connection: BrokerConnection;
  readonly apiRanges: ReadonlyMap<number, ApiRange>;
}

/** v3 shows features and is understood since 2.4; a broker without it answers in v0. */
const API_VERSIONS_FIRST = 3;
const API_VERSIONS_TIMEOUT_MS = 10_000;
/** At most so, and of letters, digits, '-' and '.': the broker checks it. */
const CLIENT_SOFTWARE = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1.0' };

/**
 * Connects and asks for the versions. Rejects as BrokerConnector.connect() does: KAFKA_UNAVAILABLE says
 * that nothing of the caller's was sent.
 */
export async function openSession(
  connector: BrokerConnector,
  address: BrokerAddress,
  purpose: string,
): Promise<BrokerSession> {
  const connection = await connector.connect(address, purpose);
  try {
    const { apiRanges } = await askApiVersions(connection);
    return { connection, apiRanges };
  } catch (error) {
    connection.close();
    if (!isMillraceError(error, 'KAFKA_RETRIABLE')) throw error;
    throw new MillraceError('KAFKA_UNAVAILABLE', error.message, { cause: error });
  }
}

/** Finalized feature levels, asked now; empty when the broker has none. */
export async function askFeatures(session: BrokerSession): Promise<ReadonlyMap<string, number>> {
  return (await askApiVersions(session.connection)).features;
}

async function askApiVersions(connection: BrokerConnection): Promise<BrokerVersions> {
  const body = await sendApiVersions(connection, API_VERSIONS_FIRST);
  if (errorCodeOf(body) !== Errors.UNSUPPORTED_VERSION) {
    return versionsIn(body, API_VERSIONS_FIRST);
  }
  return versionsIn(await sendApiVersions(connection, 0), 0);
}

/** What a broker speaks and has. */
interface BrokerVersions {
  readonly apiRanges: ReadonlyMap<number, ApiRange>;
  readonly features: ReadonlyMap<string, number>;
}

/** On every connection the brokers of a cluster say the same, byte for byte: it is read once. */
let lastRead:
  | { readonly body: Buffer; readonly version: number; readonly versions: BrokerVersions }
  | undefined;

function versionsIn(body: Buffer, version: number): BrokerVersions {
  if (lastRead?.version === version && lastRead.body.equals(body)) return lastRead.versions;
  const { apiKeys, finalizedFeatures } = checked(decodeResponse(apiVersionsApi, version, body));
  const versions = {
    apiRanges: new Map(apiKeys.map((range) => [range.apiKey, range])),
    features: new Map(
      finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]),
    ),
  };
  lastRead = { body: Buffer.from(body), version, versions };
  return versions;
}

/** In every version the error comes first. */
function errorCodeOf(body: Buffer): number {
  return body.length < 2 ? Errors.NONE : body.readInt16BE(0);
}

function checked<Response extends { readonly errorCode: number }>(response: Response): Response {
  if (response.errorCode === Errors.NONE) return response;
  throw new MillraceError(
    'KAFKA_RETRIABLE',
    `the broker does not tell its versions: ${errorName(response.errorCode)}`,
  );
}

function sendApiVersions(connection: BrokerConnection, version: number): Promise<Buffer> {
  return connection.request(
    headerOf(apiVersionsApi, version),
    encodeRequest(apiVersionsApi, version, CLIENT_SOFTWARE),
    API_VERSIONS_TIMEOUT_MS,
  );
}

/** Best version both sides speak, not above `atMost`. Throws KAFKA_FATAL when there is none. */
export function bestVersion(
  api: Pick<Api<unknown, unknown>, 'key' | 'name' | 'minVersion' | 'maxVersion'>,
  apiRanges: ReadonlyMap<number, ApiRange>,
  atMost: number = Number.POSITIVE_INFINITY,
): number {
  const range = apiRanges.get(api.key);
  const version = Math.min(api.maxVersion, range?.maxVersion ?? -1, atMost);
  if (range !== undefined && version >= Math.max(api.minVersion, range.minVersion)) return version;
  const offer = range === undefined ? 'not at all' : `${range.minVersion} to ${range.maxVersion}`;
  const need = `${api.minVersion} to ${Math.min(api.maxVersion, atMost)}`;
  throw new MillraceError(
    'KAFKA_FATAL',
    `the broker speaks ${api.name} ${offer}; we need ${need}`,
    {
      hint: 'Use Apache Kafka 2.8 or newer.',
      facts: { api: api.name },
    },
  );
}

/** One request and its answer on this session. */
export async function exchange<Request, Response>(
  session: BrokerSession,
  api: Api<Request, Response>,
  version: number,
  request: Request,
  timeoutMs: number,
): Promise<Response> {
  const body = encodeRequest(api, version, request);
  const answer = await session.connection.request(headerOf(api, version), body, timeoutMs);
  return decodeResponse(api, version, answer);
}

function headerOf(
  api: Pick<Api<unknown, unknown>, 'key' | 'name' | 'flexibleFrom'>,
  version: number,
) {
  return {
    apiKey: api.key,
    apiName: api.name,
    apiVersion: version,
    flexible: version >= api.flexibleFrom,
  };
}
