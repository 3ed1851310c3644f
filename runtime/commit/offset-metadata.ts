/** What a committed offset carries beside it: the partition time, so that a new owner's clock does not go back. */
const PREFIX = 'millrace:1:';

export function encodeOffsetMetadata(streamTimeMs: number): string {
  return `${PREFIX}${streamTimeMs}`;
}

/** -1 when there is none, or somebody else wrote it. */
export function streamTimeOf(metadata: string): number {
  if (!metadata.startsWith(PREFIX)) return -1;
  const streamTimeMs = Number(metadata.slice(PREFIX.length));
  return Number.isSafeInteger(streamTimeMs) ? streamTimeMs : -1;
}
