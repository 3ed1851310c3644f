/** ApiVersions: which APIs and features there are. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { apiVersionsApi } from '../../../kafka/protocol/messages/api-versions.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

const NAME_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
/** Clients take a feature for finalized only with an epoch. */
const FEATURES_EPOCH = 1;

export interface FeatureLevels {
  /** Finalized `transaction.version`. */
  readonly transactionVersion: number;
}

/** `handlers` is asked when the first answer is due: the list it is in itself. */
export function apiVersionsHandler(
  handlers: () => Iterable<AnyHandler>,
  levels: FeatureLevels,
): AnyHandler {
  let apiKeys: ReturnType<typeof apiKeysOf> | undefined;
  return defineHandler(apiVersionsApi, (request, { version, connection }) => {
    if (version >= 3) {
      const isNamed =
        NAME_PATTERN.test(request.clientSoftwareName) &&
        NAME_PATTERN.test(request.clientSoftwareVersion);
      if (!isNamed) return { errorCode: Errors.INVALID_REQUEST, apiKeys: [] };
      connection.clientSoftwareName = request.clientSoftwareName;
    }
    apiKeys ??= apiKeysOf(handlers());
    return { errorCode: Errors.NONE, apiKeys, ...featuresOf(levels) };
  });
}

/** What a client gets that asks in a version we do not speak: in version 0, so that it can read it. */
export function unsupportedApiVersions(handlers: Iterable<AnyHandler>) {
  return { errorCode: Errors.UNSUPPORTED_VERSION, apiKeys: apiKeysOf(handlers) };
}

function apiKeysOf(handlers: Iterable<AnyHandler>) {
  return Array.from(handlers, ({ api, minVersion, maxVersion }) => ({
    apiKey: api.key,
    minVersion,
    maxVersion,
  })).toSorted((a, b) => a.apiKey - b.apiKey);
}

function featuresOf({ transactionVersion }: FeatureLevels) {
  const name = 'transaction.version';
  const supported = { name, minVersion: 0, maxVersion: transactionVersion };
  const finalized = {
    name,
    maxVersionLevel: transactionVersion,
    minVersionLevel: transactionVersion,
  };
  return {
    supportedFeatures: transactionVersion > 0 ? [supported] : [],
    finalizedFeaturesEpoch: FEATURES_EPOCH,
    finalizedFeatures: transactionVersion > 0 ? [finalized] : [],
  };
}
