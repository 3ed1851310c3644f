/**
 * ApiVersions: which APIs, at which versions, and which features a broker has. The one API whose
 * request may be newer than the broker: the answer is then v0 with UNSUPPORTED_VERSION and this
 * API's range. v3 is flexible (its response header is not) and shows features, v4 may show
 * minVersion 0.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts';

export const apiVersionsApi = defineApi({
  key: 18,
  name: 'ApiVersions',
  versions: '0-4',
  flexibleFrom: 3,
  request: {
    clientSoftwareName: string.versions('3+'),
    clientSoftwareVersion: string.versions('3+'),
  },
  response: {
    errorCode: int16,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: int32.versions('1+'),
    supportedFeatures: array(struct({ name: string, minVersion: int16, maxVersion: int16 })).tag(
      0,
      '3+',
    ),
    finalizedFeaturesEpoch: int64.tag(1, '3+').default(-1),
    finalizedFeatures: array(
      struct({ name: string, maxVersionLevel: int16, minVersionLevel: int16 }),
    ).tag(2, '3+'),
    zkMigrationReady: bool.tag(3, '3+'),
  },
});
