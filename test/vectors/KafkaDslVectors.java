import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.function.Consumer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Writes kafka-dsl.json: small topologies in Kafka's own DSL, what describe() says of each, and what
 * Kafka's TopologyTestDriver emits for each record of a random input. Run with the jars of
 * kafka-streams and kafka-streams-test-utils on the classpath; the argument is the file to write.
 */
public class KafkaDslVectors {
  static final Map<String, Consumer<StreamsBuilder>> CASES = new LinkedHashMap<>();
  static final List<String> TOPICS = List.of("left", "right", "third");

  static Materialized<String, String, KeyValueStore<Bytes, byte[]>> as(String store) {
    return Materialized.as(store);
  }

  static String add(String aggregate, String value) {
    return String.valueOf(Integer.parseInt(aggregate) + Integer.parseInt(value));
  }

  static String subtract(String aggregate, String value) {
    return String.valueOf(Integer.parseInt(aggregate) - Integer.parseInt(value));
  }

  static String letter(String value) {
    return String.valueOf((char) ('a' + Integer.parseInt(value) % 3));
  }

  static void define() {
    CASES.put("stateless, generated names", b -> {
      KStream<String, String> s = b.stream("left");
      s.filter((k, v) -> v != null && Integer.parseInt(v) > 10)
          .filterNot((k, v) -> Integer.parseInt(v) > 40)
          .map((k, v) -> KeyValue.pair(letter(v), k + v))
          .mapValues(v -> v + "!")
          .mapValues((k, v) -> k + v)
          .peek((k, v) -> { })
          .flatMap((k, v) -> List.of(KeyValue.pair(k, v), KeyValue.pair(v, k)))
          .flatMapValues(v -> List.of(v, v + "2"))
          .selectKey((k, v) -> v)
          .to("out");
      s.foreach((k, v) -> { });
    });
    CASES.put("stateless, given names", b -> {
      b.<String, String>stream("left", Consumed.<String, String>as("in"))
          .filter((k, v) -> v != null, Named.as("present"))
          .map((k, v) -> KeyValue.pair(letter(v), v), Named.as("by-letter"))
          .mapValues(v -> v + "!", Named.as("loud"))
          .to("out", Produced.as("sink"));
    });
    CASES.put("merge and branch", b -> {
      KStream<String, String> s = b.<String, String>stream("left").merge(b.stream("right"));
      Map<String, KStream<String, String>> branches = s.filter((k, v) -> v != null)
          .split(Named.as("size-"))
          .branch((k, v) -> v.length() == 1, Branched.as("small"))
          .branch((k, v) -> v.startsWith("3"))
          .defaultBranch(Branched.as("rest"));
      branches.get("size-small").mapValues(v -> "small " + v).to("out");
      branches.get("size-2").mapValues(v -> "three " + v).to("out");
      branches.get("size-rest").to("rest");
    });
    CASES.put("branch without names", b -> {
      Map<String, KStream<String, String>> branches = b.<String, String>stream("left")
          .filter((k, v) -> v != null).split()
          .branch((k, v) -> v.length() == 1)
          .branch((k, v) -> v.startsWith("3"))
          .noDefaultBranch();
      KStream<String, String> all = null;
      for (String name : new java.util.TreeSet<>(branches.keySet())) {
        all = all == null ? branches.get(name) : all.merge(branches.get(name));
      }
      all.to("out");
    });
    CASES.put("word count", b -> b.<String, String>stream("left")
        .filter((k, v) -> v != null)
        .flatMapValues(v -> Arrays.asList(v.split("")))
        .groupBy((k, v) -> v)
        .count(Materialized.as("counts"))
        .toStream().mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("count, generated names", b -> b.<String, String>stream("left")
        .map((k, v) -> KeyValue.pair(v, k))
        .groupByKey().count().toStream().mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("count with a name only", b -> b.<String, String>stream("left")
        .groupByKey().count(Named.as("counting")).toStream(Named.as("counted"))
        .mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("reduce, generated names", b -> b.<String, String>stream("left")
        .groupByKey().reduce(KafkaDslVectors::add).toStream().to("out"));
    CASES.put("reduce, anonymous store", b -> b.<String, String>stream("left")
        .groupByKey().reduce(KafkaDslVectors::add,
            Materialized.with(Serdes.String(), Serdes.String())).toStream().to("out"));
    CASES.put("reduce, named", b -> b.<String, String>stream("left")
        .groupByKey().reduce(KafkaDslVectors::add, Named.as("adding"), as("sums"))
        .toStream().to("out"));
    CASES.put("aggregate, anonymous store", b -> b.<String, String>stream("left")
        .selectKey((k, v) -> k)
        .groupByKey(Grouped.as("grouped"))
        .aggregate(() -> "", (k, v, a) -> a + v, Materialized.with(Serdes.String(), Serdes.String()))
        .toStream().to("out"));
    CASES.put("two aggregates of one named grouping", b -> {
      KGroupedStream<String, String> grouped =
          b.<String, String>stream("left").groupBy((k, v) -> letter(v == null ? "0" : v), Grouped.as("g"));
      grouped.count(Materialized.as("counts")).toStream().mapValues(v -> "n" + v).to("out");
      grouped.reduce(KafkaDslVectors::add, as("sums")).toStream().to("out");
    });
    CASES.put("two aggregates of one unnamed grouping", b -> {
      KGroupedStream<String, String> grouped =
          b.<String, String>stream("left").groupBy((k, v) -> letter(v == null ? "0" : v));
      grouped.count(Materialized.as("counts")).toStream().mapValues(v -> "n" + v).to("out");
      grouped.reduce(KafkaDslVectors::add, as("sums")).toStream().to("out");
    });
    CASES.put("aggregate that deletes", b -> b.<String, String>stream("left").groupByKey()
        .aggregate(() -> "", (k, v, a) -> a.length() > 6 ? null : a + v, as("concat"))
        .toStream().to("out"));
    CASES.put("repartition", b -> {
      b.<String, String>stream("left").repartition().to("out");
      b.<String, String>stream("right").selectKey((k, v) -> v)
          .repartition(Repartitioned.<String, String>as("re").withNumberOfPartitions(3)).to("out2");
    });
    CASES.put("process with a store", b -> {
      b.addStateStore(Stores.keyValueStoreBuilder(
          Stores.inMemoryKeyValueStore("seen"), Serdes.String(), Serdes.String()));
      b.<String, String>stream("left").filter((k, v) -> k != null)
          .process(() -> new ContextualProcessor<String, String, String, String>() {
            @Override
            public void process(Record<String, String> record) {
              KeyValueStore<String, String> store = context().getStateStore("seen");
              String before = store.get(record.key());
              store.put(record.key(), record.value());
              context().forward(record.withValue(before + ">" + record.value()));
            }
          }, "seen")
          .processValues(() -> new ContextualFixedKeyProcessor<String, String, String>() {
            @Override
            public void process(FixedKeyRecord<String, String> record) {
              context().forward(record.withValue("[" + record.value() + "]"));
            }
          })
          .groupByKey().reduce((a, v) -> v, as("last")).toStream().to("out");
    });
    CASES.put("table, unmaterialised chain", b -> b.<String, String>table("left")
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0)
        .mapValues(v -> "even " + v)
        .filterNot((k, v) -> v.endsWith("0"))
        .toStream().to("out"));
    CASES.put("table, materialised source", b -> b.<String, String>table("left", as("source"))
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0)
        .mapValues(v -> "even " + v)
        .toStream().to("out"));
    CASES.put("table, materialised filter and map", b -> b.<String, String>table("left", Consumed.as("in"))
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0, Named.as("even"), as("evens"))
        .mapValues(v -> "even " + v, Named.as("say"), as("said"))
        .toStream(Named.as("all")).to("out"));
    CASES.put("table, anonymous filter", b -> b.<String, String>table("left")
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0,
            Materialized.with(Serdes.String(), Serdes.String()))
        .toStream().to("out"));
    CASES.put("table group, reduce", b -> b.<String, String>table("left")
        .groupBy((k, v) -> KeyValue.pair(letter(v), v))
        .reduce(KafkaDslVectors::add, KafkaDslVectors::subtract).toStream().to("out"));
    CASES.put("table group, count named", b -> b.<String, String>table("left")
        .groupBy((k, v) -> KeyValue.pair(letter(v), v), Grouped.as("by-letter"))
        .count(Named.as("counting"), Materialized.as("counts"))
        .toStream().mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("table group, count anonymous", b -> b.<String, String>table("left")
        .groupBy((k, v) -> KeyValue.pair(letter(v), v))
        .count(Materialized.with(Serdes.String(), Serdes.Long()))
        .toStream().mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("filtered table group, aggregate", b -> b.<String, String>table("left")
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0)
        .mapValues(v -> v + "0")
        .groupBy((k, v) -> KeyValue.pair(letter(v), v))
        .aggregate(() -> "0", (k, v, a) -> add(a, v), (k, v, a) -> subtract(a, v), as("sums"))
        .toStream().to("out"));
    CASES.put("aggregate of an aggregate", b -> b.<String, String>stream("left").groupByKey()
        .reduce(KafkaDslVectors::add, as("sums"))
        .filter((k, v) -> Integer.parseInt(v) % 3 != 0)
        .groupBy((k, v) -> KeyValue.pair(letter(v), v))
        .reduce(KafkaDslVectors::add, KafkaDslVectors::subtract, as("totals"))
        .toStream().to("out"));
    CASES.put("stream-table join", b -> b.<String, String>stream("left")
        .join(b.<String, String>table("right"), (l, r) -> l + "-" + r).to("out"));
    CASES.put("stream-table left join, rekeyed and unnamed", b -> b.<String, String>stream("left")
        .map((k, v) -> KeyValue.pair(k, v))
        .leftJoin(b.<String, String>table("right", as("right")), (l, r) -> l + "-" + r)
        .groupByKey().count().toStream().mapValues(v -> String.valueOf(v)).to("out"));
    CASES.put("stream-table join, rekeyed and named", b -> b.<String, String>stream("left")
        .selectKey((k, v) -> k)
        .join(b.<String, String>table("right").mapValues(v -> "r" + v), (l, r) -> l + "-" + r,
            Joined.as("joining"))
        .to("out"));
    CASES.put("stream joined twice after a rekey", b -> {
      KStream<String, String> s = b.<String, String>stream("left").selectKey((k, v) -> k);
      s.join(b.<String, String>table("right"), (l, r) -> l + "-" + r).to("out");
      s.leftJoin(b.<String, String>table("third"), (l, r) -> l + "+" + r).to("out2");
    });
    CASES.put("repartitioned, left joined and counted", b -> {
      KStream<String, String> s = b.<String, String>stream("left").repartition(Repartitioned.as("re"));
      s.filter((k, v) -> v != null).leftJoin(b.<String, String>table("right"), (l, r) -> l + "-" + r).to("out");
      s.groupByKey().count().toStream().mapValues(v -> String.valueOf(v)).to("out2");
    });
    CASES.put("toTable", b -> b.<String, String>stream("left").toTable()
        .toStream().to("out"));
    CASES.put("toTable, rekeyed and materialised", b -> b.<String, String>stream("left")
        .selectKey((k, v) -> k).toTable(Named.as("tabled"), as("table"))
        .filter((k, v) -> Integer.parseInt(v) % 2 == 0)
        .toStream().to("out"));
    CASES.put("toTable, rekeyed and unnamed, joined", b -> b.<String, String>stream("left")
        .selectKey((k, v) -> k).toTable()
        .join(b.table("right"), (l, r) -> l + "-" + r)
        .toStream().to("out"));
    for (String kind : List.of("join", "leftJoin", "outerJoin")) {
      CASES.put("table-table " + kind, b -> joined(kind, b.table("left"), b.table("right"), null)
          .toStream().to("out"));
      CASES.put("table-table " + kind + ", materialised, grouped", b ->
          joined(kind, b.table("left"), b.table("right"), "joined")
              .groupBy((k, v) -> KeyValue.pair(v.contains("null") ? "half" : "whole", "1"))
              .reduce(KafkaDslVectors::add, KafkaDslVectors::subtract, as("sums"))
              .toStream().to("out"));
      CASES.put("table-table " + kind + ", unmaterialised, grouped", b ->
          joined(kind, b.table("left"), b.table("right"), null)
              .groupBy((k, v) -> KeyValue.pair(v.contains("null") ? "half" : "whole", "1"))
              .reduce(KafkaDslVectors::add, KafkaDslVectors::subtract, as("sums"))
              .toStream().to("out"));
      CASES.put("table-table " + kind + ", chained with filters", b ->
          joined(kind, b.<String, String>table("left").filter((k, v) -> Integer.parseInt(v) % 2 == 0),
              joined(kind, b.<String, String>table("right").mapValues(v -> "r" + v), b.table("third"), null), null)
              .toStream().to("out"));
      CASES.put("table-table " + kind + ", stream looks it up", b -> {
        KTable<String, String> table = joined(kind, b.table("left"), b.table("right"), null);
        b.<String, String>stream("third").leftJoin(table, (l, r) -> l + ":" + r).to("out");
      });
    }
    CASES.put("table-table join with names", b -> b.<String, String>table("left").join(
        b.<String, String>table("right"), (l, r) -> l + "-" + r, Named.as("both"), as("both"))
        .toStream().to("out"));
    CASES.put("aggregate joined with a table", b -> {
      KTable<String, String> counts = b.<String, String>stream("left").groupByKey()
          .reduce(KafkaDslVectors::add, as("sums"));
      counts.outerJoin(b.<String, String>table("right"), (l, r) -> l + "-" + r).toStream().to("out");
    });
    CASES.put("one topic read twice, several topics in one source", b -> {
      b.<String, String>stream("left").mapValues(v -> "a" + v).to("out");
      b.<String, String>stream("left").mapValues(v -> "b" + v).to("out");
      b.<String, String>stream(List.of("third", "right")).to("out2");
    });
    CASES.put("wide", b -> {
      KStream<String, String> s = b.stream("left");
      for (int i = 0; i < 15; i++) {
        KStream<String, String> branch = s.filter((k, v) -> v == null);
        for (int j = 0; j < i % 4; j++) branch = branch.mapValues(v -> v);
        branch.to("out");
      }
    });
  }

  static KTable<String, String> joined(String kind, KTable<String, String> left,
      KTable<String, String> right, String store) {
    var materialized = store == null ? null : as(store);
    switch (kind) {
      case "join":
        return store == null ? left.join(right, (l, r) -> l + "-" + r)
            : left.join(right, (l, r) -> l + "-" + r, materialized);
      case "leftJoin":
        return store == null ? left.leftJoin(right, (l, r) -> l + "-" + r)
            : left.leftJoin(right, (l, r) -> l + "-" + r, materialized);
      default:
        return store == null ? left.outerJoin(right, (l, r) -> l + "-" + r)
            : left.outerJoin(right, (l, r) -> l + "-" + r, materialized);
    }
  }

  record Input(String topic, String key, String value, long ts) { }

  static List<Input> inputs() {
    Random random = new Random(7);
    List<Input> inputs = new ArrayList<>();
    for (int i = 0; i < 80; i++) {
      String topic = TOPICS.get(random.nextInt(3));
      String key = random.nextInt(12) == 0 ? null : "k" + random.nextInt(3);
      String value = random.nextInt(5) == 0 ? null : String.valueOf(random.nextInt(60));
      inputs.add(new Input(topic, key, value, Math.max(0, i * 10 + random.nextInt(40) - 20)));
    }
    return inputs;
  }

  static ArrayNode run(ObjectMapper json, Topology topology, List<Input> inputs, List<String> reads) {
    Properties properties = new Properties();
    properties.put("application.id", "test");
    properties.put("bootstrap.servers", "unused:1");
    properties.put("default.key.serde", Serdes.String().getClass());
    properties.put("default.value.serde", Serdes.String().getClass());
    properties.put("statestore.cache.max.bytes", 0);
    properties.put("state.dir", System.getProperty("java.io.tmpdir") + "/dsl-vectors");
    ArrayNode expected = json.createArrayNode();
    try (TopologyTestDriver driver = new TopologyTestDriver(topology, properties, Instant.EPOCH)) {
      for (Input input : inputs) {
        ArrayNode outputs = expected.addArray();
        if (!reads.contains(input.topic())) continue;
        driver.createInputTopic(input.topic(), new StringSerializer(), new StringSerializer())
            .pipeInput(input.key(), input.value(), input.ts());
        for (String topic : List.of("out", "out2", "rest")) {
          var output = driver.createOutputTopic(topic, new StringDeserializer(), new StringDeserializer());
          while (!output.isEmpty()) {
            TestRecord<String, String> record = output.readRecord();
            outputs.addArray().add(topic).add(record.key()).add(record.value()).add(record.timestamp());
          }
        }
      }
    }
    return expected;
  }

  public static void main(String[] args) throws Exception {
    define();
    ObjectMapper json = new ObjectMapper();
    ObjectNode root = json.createObjectNode();
    root.put("source", "made by KafkaDslVectors.java with Apache Kafka Streams 4.3.1 (record cache off)");
    root.put("format", "inputs: [topic, key, value, timestamp]; expected: for each input the records [topic, key, "
        + "value, timestamp] that it causes (inputs of topics that a case does not read cause none)");
    List<Input> inputs = inputs();
    ArrayNode all = root.putArray("inputs");
    for (Input input : inputs) all.addArray().add(input.topic()).add(input.key()).add(input.value()).add(input.ts());
    ArrayNode cases = root.putArray("cases");
    for (Map.Entry<String, Consumer<StreamsBuilder>> entry : CASES.entrySet()) {
      StreamsBuilder builder = new StreamsBuilder();
      entry.getValue().accept(builder);
      Topology topology = builder.build();
      String description = topology.describe().toString();
      List<String> reads = TOPICS.stream()
          .filter(topic -> description.matches("(?s).*topics: \\[[^\\]]*\\b" + topic + "\\b[^\\]]*\\].*")).toList();
      ObjectNode one = cases.addObject();
      one.put("name", entry.getKey()).put("describe", description);
      one.set("expected", run(json, topology, inputs, reads));
    }
    json.writeValue(new File(args[0]), root);
  }
}
