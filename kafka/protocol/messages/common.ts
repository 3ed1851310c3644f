/** Parts that several messages share. */
import { array, int32, string, struct } from '../schema.ts';

/** Who leads the partition instead, where the answering broker knows (KIP-951). */
export const leaderIdAndEpoch = struct({
  leaderId: int32.default(-1),
  leaderEpoch: int32.default(-1),
});

/** Where those leaders are (KIP-951). */
export const nodeEndpoints = array(
  struct({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) }),
);

/** A bit field of allowed operations that nobody asked for. */
export const OPERATIONS_NOT_ASKED = -(2 ** 31);
