/** A cursor over one record in Confluent's wire format (0, schema id, Avro); strings stay bytes. */
final class AvroReader {
    static final int HEADER = 5;
    byte[] bytes;
    int at;

    /** -1 for what is not in the wire format. */
    static int schemaId(byte[] b) {
        if (b == null || b.length < HEADER || b[0] != 0) return -1;
        return (b[1] & 255) << 24 | (b[2] & 255) << 16 | (b[3] & 255) << 8 | b[4] & 255;
    }

    AvroReader of(byte[] b, int from) {
        bytes = b;
        at = from;
        return this;
    }

    long readLong() {
        long value = 0;
        int shift = 0, next;
        do {
            next = bytes[at++];
            value |= (long) (next & 127) << shift;
            shift += 7;
        } while (next < 0);
        return value >>> 1 ^ -(value & 1);
    }

    int readInt() { return (int) readLong(); }

    /** Moves past a string and returns where its bytes begin; they end where the cursor then stands. */
    int readString() {
        int length = readInt(), start = at;
        at += length;
        return start;
    }
}
