/** The store's key of a purchase: the 16 bytes of a canonical uuid; any other id with a byte before it. */
final class PurchaseKey {
    private static final int TEXT = 36, BINARY = 16;

    private PurchaseKey() {}

    static byte[] of(byte[] value, int from, int to) {
        byte[] uuid = to - from == TEXT ? uuid(value, from) : null;
        if (uuid != null) return uuid;
        byte[] key = new byte[Math.max(BINARY + 1, to - from + 1)];
        System.arraycopy(value, from, key, 1, to - from);
        return key;
    }

    private static byte[] uuid(byte[] value, int from) {
        byte[] key = new byte[BINARY];
        for (int i = 0, digits = 0; i < TEXT; i++) {
            int c = value[from + i];
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                if (c != '-') return null;
                continue;
            }
            int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
            if (digit < 0) return null;
            key[digits >> 1] |= (byte) ((digits & 1) == 0 ? digit << 4 : digit);
            digits++;
        }
        return key;
    }
}
