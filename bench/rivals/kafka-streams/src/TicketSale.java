import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/**
 * The ticket sale in Kafka Streams, as an expert would tune it for this job: commands in, one outcome
 * each out, the stock of a zone once per commit. Arguments are name=value; a name that begins with '-'
 * is a setting of Kafka Streams.
 */
public final class TicketSale {
    private TicketSale() {}

    public static void main(String[] args) {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) {
            int cut = arg.indexOf('=');
            given.put(arg.substring(0, cut), arg.substring(cut + 1));
        }
        KafkaStreams streams = new KafkaStreams(topology(given), settings(given));
        streams.setStateListener((now, before) -> System.out.println("STATE " + now));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(60))));
        streams.start();
    }

    private static Properties settings(Map<String, String> given) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, given.get("application"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given.get("brokers"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, given.get("state"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, given.get("threads"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, given.get("guarantee"));
        // The processor asks for each commit itself; this is only the backstop.
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(given.get("commitMs")) * 2);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 16L << 20);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5000);
        p.put("max.poll.records", 5000);
        p.put("fetch.max.bytes", 16 << 20);
        p.put("max.partition.fetch.bytes", 4 << 20);
        p.put("receive.buffer.bytes", 1 << 20);
        p.put("restore.consumer.max.poll.records", 20000);
        // A static member with a short session: a restart takes its own place at once.
        p.put("session.timeout.ms", 6000);
        p.put("heartbeat.interval.ms", 2000);
        p.put("main.consumer.group.instance.id", "one");
        p.put("producer.linger.ms", 100); // a commit flushes earlier
        p.put("producer.batch.size", 256 << 10);
        p.put("producer.buffer.memory", 64 << 20);
        p.put("send.buffer.bytes", 1 << 20);
        // The next transaction may begin before the markers of the last are all written; with the
        // default of 100 ms that would cost a whole commit.
        p.put("producer.retry.backoff.ms", 10);
        p.put("producer.retry.backoff.max.ms", 50);
        given.forEach((name, value) -> {
            if (name.startsWith("-")) p.put(name.substring(1), value);
        });
        return p;
    }

    private static Topology topology(Map<String, String> given) {
        var in = new ByteArrayDeserializer();
        var out = new ByteArraySerializer();
        // Cached: the many changes of a zone within a commit become one write and one changelog record.
        var zones = Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(DecideProcessor.ZONES), Serdes.Bytes(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of()).withCachingEnabled();
        // Not cached: nearly every key is new.
        var purchases = Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(DecideProcessor.PURCHASES), Serdes.Bytes(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of()).withCachingDisabled();
        var ids = new DecideProcessor.SchemaIds(
            Integer.parseInt(given.get("commandSchema")),
            Integer.parseInt(given.get("statusSchema")),
            Integer.parseInt(given.get("inventorySchema")));
        long commitMs = Long.parseLong(given.get("commitMs"));
        return new Topology()
            .addSource("commands", in, in, given.get("commands"))
            .addProcessor("decide", () -> new DecideProcessor(ids, commitMs), "commands")
            .addStateStore(zones, "decide")
            .addStateStore(purchases, "decide")
            .addSink(DecideProcessor.STATUS_SINK, given.get("status"), out, out, "decide")
            .addSink(DecideProcessor.INVENTORY_SINK, given.get("inventory"), out, out, "decide");
    }
}
