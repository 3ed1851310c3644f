// A Kafka Streams word count, exactly once: prints READY, then at the end the sum of all counts.
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;

public class StreamsProbe {
  static final int WORDS = 50;

  public static void main(String[] args) throws Exception {
    int total = Integer.parseInt(args[1]);
    Map<String, Object> client = Map.of("bootstrap.servers", args[0], "delivery.timeout.ms", 120000);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      admin.createTopics(List.of(new NewTopic("words", 3, (short) 1), new NewTopic("counts", 3, (short) 1))).all().get();
    }
    var builder = new StreamsBuilder();
    builder.stream("words", Consumed.with(Serdes.String(), Serdes.String()))
        .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
        .count().toStream().to("counts", Produced.with(Serdes.String(), Serdes.Long()));
    var config = new Properties();
    config.putAll(Map.of("bootstrap.servers", args[0], "application.id", "word-count", "processing.guarantee", "exactly_once_v2",
        "num.stream.threads", 2, "commit.interval.ms", 100, "replication.factor", 1, "state.dir", args[2]));
    var streams = new KafkaStreams(builder.build(), config);
    streams.setUncaughtExceptionHandler(error -> StreamThreadExceptionResponse.REPLACE_THREAD);
    streams.start();
    System.out.println("READY");
    try (var producer = new KafkaProducer<>(client, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < total; i++) {
        producer.send(new ProducerRecord<>("words", "k" + i, "word" + i % WORDS));
        if (i % 200 == 0) Thread.sleep(20);
      }
    }
    System.out.println("FOUND sum = " + sumOfCounts(args[0], total));
    streams.close(Duration.ofSeconds(20));
    System.exit(0);
  }

  /** Counts must only ever grow, and end at exactly as many as there were words. */
  static String sumOfCounts(String servers, int total) {
    Map<String, Object> config = Map.of("bootstrap.servers", servers, "isolation.level", "read_committed");
    Map<String, Long> last = new HashMap<>();
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer())) {
      // Without a group: a rebalance would make it read again what it has read.
      var partitions = List.of(0, 1, 2).stream().map(each -> new TopicPartition("counts", each)).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long giveUpAt = System.currentTimeMillis() + 90_000;
      int quiet = 0;
      while (quiet < 10 && System.currentTimeMillis() < giveUpAt) {
        for (var record : consumer.poll(Duration.ofMillis(200))) {
          Long before = last.put(record.key(), record.value());
          if (before != null && before >= record.value()) return record.key() + " went back from " + before + " to " + record.value();
        }
        boolean complete = last.values().stream().mapToLong(Long::longValue).sum() >= total;
        quiet = complete ? quiet + 1 : 0;
      }
    }
    return String.valueOf(last.values().stream().mapToLong(Long::longValue).sum());
  }
}
