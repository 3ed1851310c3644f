import java.util.Arrays;

/** A growing buffer for one record, used again for the next. */
final class AvroWriter {
    private byte[] bytes = new byte[256];
    private int at;

    AvroWriter start() {
        at = 0;
        return this;
    }

    AvroWriter start(int schemaId) {
        at = 0;
        bytes[at++] = 0;
        bytes[at++] = (byte) (schemaId >> 24);
        bytes[at++] = (byte) (schemaId >> 16);
        bytes[at++] = (byte) (schemaId >> 8);
        bytes[at++] = (byte) schemaId;
        return this;
    }

    AvroWriter raw(byte[] from, int start, int end) {
        room(end - start);
        System.arraycopy(from, start, bytes, at, end - start);
        at += end - start;
        return this;
    }

    /** An int, long, enum or union index: Avro writes them alike. */
    AvroWriter number(long value) {
        room(10);
        long zigzag = value << 1 ^ value >> 63;
        while ((zigzag & ~127L) != 0) {
            bytes[at++] = (byte) (zigzag & 127 | 128);
            zigzag >>>= 7;
        }
        bytes[at++] = (byte) zigzag;
        return this;
    }

    byte[] toBytes() { return Arrays.copyOf(bytes, at); }

    private void room(int more) {
        if (at + more > bytes.length) bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, at + more));
    }
}
