import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Decides commands. All state of a command lies in the partition of its zone's key. Avro by hand over
 * bytes: few teams would write it, and it makes the rival stronger. An outcome begins with the four
 * strings and the quantity of its command, so those are copied as one range.
 */
final class DecideProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    record SchemaIds(int command, int status, int inventory) {}

    static final String ZONES = "zones", PURCHASES = "purchases";
    static final String STATUS_SINK = "status", INVENTORY_SINK = "inventory";

    // Places in the unions and enums of schemas/ticket-sales.
    private static final int PURCHASE = 0, CREATE_ZONE = 2;
    private static final int CONFIRMED = 2, REJECTED = 3;
    private static final int NONE = 0, SOLD_OUT = 1, UNKNOWN_ZONE = 5, OVER_LIMIT = 8, INVALID = 11;

    private static final class Zone {
        Bytes key;
        byte[] eventAndZone; // the two Avro strings, ready to copy
        int capacity, quantityMax, sold;
        long version, updatedAtMs, commandOffset;
        boolean isDirty;
    }

    private final SchemaIds ids;
    private final long commitMs;
    /** Read-through over the store, which gets every change at once. */
    private final Map<Bytes, Zone> zones = new HashMap<>();
    private final List<Zone> dirty = new ArrayList<>();
    private final AvroReader in = new AvroReader();
    private final AvroWriter out = new AvroWriter();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> zoneStore, purchases;
    private boolean hasWork;

    DecideProcessor(SchemaIds ids, long commitMs) {
        this.ids = ids;
        this.commitMs = commitMs;
    }

    @Override public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        zoneStore = context.getStateStore(ZONES);
        purchases = context.getStateStore(PURCHASES);
        zones.clear();
        dirty.clear();
        // Anchored, so that all tasks of a thread fall due together: one round of inventory, one commit.
        context.schedule(Instant.EPOCH, Duration.ofMillis(commitMs), PunctuationType.WALL_CLOCK_TIME, this::finishRound);
    }

    private void finishRound(long nowMs) {
        for (Zone zone : dirty) {
            out.start(ids.inventory()).raw(zone.eventAndZone, 0, zone.eventAndZone.length)
                .number(zone.capacity).number(zone.capacity - zone.sold).number(0).number(zone.sold)
                .number(zone.version).number(zone.updatedAtMs).number(zone.commandOffset)
                .number(0).number(0); // no revenue, no currency
            context.forward(new Record<>(zone.key.get(), out.toBytes(), nowMs), INVENTORY_SINK);
            zone.isDirty = false;
        }
        dirty.clear();
        if (hasWork) context.commit();
        hasWork = false;
    }

    @Override public void process(Record<byte[], byte[]> command) {
        hasWork = true;
        byte[] value = command.value();
        if (AvroReader.schemaId(value) != ids.command()) return;
        switch (in.of(value, AvroReader.HEADER).readInt()) {
            case PURCHASE -> purchase(command, value);
            case CREATE_ZONE -> createZone(command, value);
            default -> { } // the bench asks for nothing else
        }
    }

    private void createZone(Record<byte[], byte[]> command, byte[] value) {
        Bytes key = Bytes.wrap(command.key());
        if (zone(key) != null) return;
        int start = in.at;
        in.readString();
        in.readString();
        Zone zone = new Zone();
        zone.key = key;
        zone.eventAndZone = Arrays.copyOfRange(value, start, in.at);
        zone.capacity = in.readInt();
        zone.quantityMax = in.readInt();
        zones.put(key, zone);
        changed(zone, command.timestamp());
    }

    private void purchase(Record<byte[], byte[]> command, byte[] value) {
        int start = in.at, id = in.readString(), idEnd = in.at;
        in.readString();
        in.readString();
        in.readString();
        int stringsEnd = in.at, quantity = in.readInt();

        Bytes purchase = Bytes.wrap(PurchaseKey.of(value, id, idEnd));
        byte[] known = purchases.get(purchase);
        if (known == null) {
            Zone zone = zone(Bytes.wrap(command.key()));
            int reason = reasonToReject(zone, quantity);
            if (reason == NONE) {
                zone.sold += quantity;
                changed(zone, command.timestamp());
            }
            known = out.start().number(quantity).number(reason == NONE ? CONFIRMED : REJECTED).number(reason)
                .number(command.timestamp()).number(offset()).toBytes();
            purchases.put(purchase, known);
        }
        in.of(known, 0);
        out.start(ids.status()).raw(value, start, stringsEnd).number(in.readInt()).number(in.readInt()).number(in.readInt());
        long decidedAtMs = in.readLong();
        out.number(decidedAtMs).number(decidedAtMs).number(in.readLong())
            .number(0).number(0).number(0); // no price, no seats, no checkout
        context.forward(new Record<>(command.key(), out.toBytes(), command.timestamp()), STATUS_SINK);
    }

    private static int reasonToReject(Zone zone, int quantity) {
        if (quantity < 1) return INVALID;
        if (zone == null) return UNKNOWN_ZONE;
        if (quantity > zone.quantityMax) return OVER_LIMIT;
        return quantity > zone.capacity - zone.sold ? SOLD_OUT : NONE;
    }

    private Zone zone(Bytes key) {
        Zone known = zones.get(key);
        if (known != null) return known;
        byte[] stored = zoneStore.get(key);
        if (stored == null) return null;
        AvroReader reader = new AvroReader().of(stored, 0);
        Zone zone = new Zone();
        zone.key = key;
        zone.capacity = reader.readInt();
        zone.quantityMax = reader.readInt();
        zone.sold = reader.readInt();
        zone.version = reader.readLong();
        zone.updatedAtMs = reader.readLong();
        zone.commandOffset = reader.readLong();
        zone.eventAndZone = Arrays.copyOfRange(stored, reader.at, stored.length);
        zones.put(key, zone);
        return zone;
    }

    private void changed(Zone zone, long nowMs) {
        zone.version++;
        zone.updatedAtMs = nowMs;
        zone.commandOffset = offset();
        out.start().number(zone.capacity).number(zone.quantityMax).number(zone.sold).number(zone.version)
            .number(zone.updatedAtMs).number(zone.commandOffset)
            .raw(zone.eventAndZone, 0, zone.eventAndZone.length);
        zoneStore.put(zone.key, out.toBytes());
        if (zone.isDirty) return;
        zone.isDirty = true;
        dirty.add(zone);
    }

    private long offset() { return context.recordMetadata().orElseThrow().offset(); }
}
