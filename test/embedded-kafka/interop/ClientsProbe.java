// What Apache Kafka's own Java clients see of a broker: one line per finding, compared by java.test.ts.
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class ClientsProbe {
  static final int RECORDS = 3000;
  static String servers;

  static Map<String, Object> config(Object... pairs) {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", servers);
    for (int at = 0; at < pairs.length; at += 2) config.put((String) pairs[at], pairs[at + 1]);
    return config;
  }

  static KafkaProducer<String, String> producer(Object... pairs) {
    return new KafkaProducer<>(config(pairs), new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(String group) {
    return new KafkaConsumer<>(
        config("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false, "isolation.level", "read_committed"),
        new StringDeserializer(), new StringDeserializer());
  }

  static void say(String finding, Object value) {
    System.out.println("FOUND " + finding + " = " + value);
  }

  static String nameOf(ThrowingRunnable action) {
    try {
      action.run();
      return "nothing";
    } catch (Exception error) {
      return error.getClass().getSimpleName();
    }
  }

  interface ThrowingRunnable {
    void run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    servers = args[0];
    try (Admin admin = Admin.create(config())) {
      admin(admin);
      produce();
      copyInTransactions();
      verifyCopy(admin);
      fencing();
      timeOut();
    }
  }

  static void admin(Admin admin) throws Exception {
    say("transaction.version", admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("transaction.version").maxVersionLevel());
    say("nodes", admin.describeCluster().nodes().get().size());
    var created = admin.createTopics(List.of(
        new NewTopic("in", 3, (short) 1).configs(Map.of("retention.ms", "3600000")), new NewTopic("out", 3, (short) 1)));
    say("created retention.ms", created.config("in").get().get("retention.ms").value());
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, "in");
    var append = new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(append))).all().get();
    say("cleanup.policy", admin.describeConfigs(List.of(resource)).all().get().get(resource).get("cleanup.policy").value());
    admin.createTopics(List.of(new NewTopic("grown", 1, (short) 1))).all().get();
    admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(4))).all().get();
    say("grown", admin.describeTopics(List.of("grown")).allTopicNames().get().get("grown").partitions().size());
    admin.deleteTopics(List.of("grown")).all().get();
    say("deleted", !admin.listTopics().names().get().contains("grown"));
  }

  static void produce() throws Exception {
    try (var producer = producer("enable.idempotence", true, "compression.type", "zstd")) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < RECORDS; i++) sent.add(producer.send(new ProducerRecord<>("in", "k" + i, "v" + i)));
      for (var each : sent) each.get();
    }
  }

  /** Exactly once from in to out, where every third transaction is aborted and done again. */
  static void copyInTransactions() throws Exception {
    try (var consumer = consumer("copiers"); var producer = producer("transactional.id", "copier")) {
      producer.initTransactions();
      consumer.subscribe(List.of("in"));
      int copied = 0;
      for (int transaction = 0; copied < RECORDS; ) {
        var records = consumer.poll(Duration.ofMillis(200));
        if (records.isEmpty()) continue;
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        producer.beginTransaction();
        for (var record : records) {
          producer.send(new ProducerRecord<>("out", record.key(), record.value()));
          positions.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
        if (transaction++ % 3 != 1) {
          producer.commitTransaction();
          copied += records.count();
          continue;
        }
        producer.abortTransaction();
        var committed = consumer.committed(consumer.assignment());
        for (var partition : consumer.assignment()) {
          if (committed.get(partition) == null) consumer.seekToBeginning(List.of(partition));
          else consumer.seek(partition, committed.get(partition));
        }
      }
    }
  }

  static void verifyCopy(Admin admin) throws Exception {
    Map<String, Integer> seen = new HashMap<>();
    try (var consumer = consumer("checkers")) {
      consumer.subscribe(List.of("out"));
      int total = 0;
      while (total < RECORDS) {
        for (var record : consumer.poll(Duration.ofMillis(200))) {
          seen.merge(record.value(), 1, Integer::sum);
          total++;
        }
      }
      total += consumer.poll(Duration.ofMillis(500)).count();
      say("copied", total);
      consumer.commitSync();
      say("state", admin.describeConsumerGroups(List.of("checkers")).all().get().get("checkers").groupState());
    }
    say("distinct", seen.size());
    var copied = admin.listConsumerGroupOffsets("copiers").partitionsToOffsetAndMetadata().get();
    say("offsets", copied.values().stream().mapToLong(OffsetAndMetadata::offset).sum());
    say("transaction", admin.describeTransactions(List.of("copier")).all().get().get("copier").state());
    admin.deleteConsumerGroupOffsets("checkers", Set.of(new TopicPartition("out", 0))).all().get();
    say("offsets left", admin.listConsumerGroupOffsets("checkers").partitionsToOffsetAndMetadata().get().size());
    admin.deleteConsumerGroups(List.of("checkers")).all().get();
    say("groups", admin.listGroups().all().get().stream().map(GroupListing::groupId).sorted().toList());
    admin.deleteRecords(Map.of(new TopicPartition("out", 0), RecordsToDelete.beforeOffset(5))).all().get();
    say("earliest", admin.listOffsets(Map.of(new TopicPartition("out", 0), OffsetSpec.earliest())).all().get()
        .get(new TopicPartition("out", 0)).offset());
  }

  static void fencing() throws Exception {
    var zombie = producer("transactional.id", "contested");
    zombie.initTransactions();
    zombie.beginTransaction();
    zombie.send(new ProducerRecord<>("out", "zombie", "zombie")).get();
    var owner = producer("transactional.id", "contested");
    owner.initTransactions();
    say("zombie", nameOf(zombie::commitTransaction));
    owner.beginTransaction();
    owner.send(new ProducerRecord<>("out", "owner", "owner"));
    say("owner", nameOf(owner::commitTransaction));
    zombie.close(Duration.ZERO);
    owner.close();
  }

  static void timeOut() throws Exception {
    var slow = producer("transactional.id", "slow", "transaction.timeout.ms", 1000);
    slow.initTransactions();
    slow.beginTransaction();
    slow.send(new ProducerRecord<>("out", "slow", "slow")).get();
    Thread.sleep(3000);
    say("slow", nameOf(slow::commitTransaction));
    slow.close(Duration.ZERO);
  }
}
