"""What librdkafka finds, through confluent-kafka, when it speaks to a broker: administration,
transactions with offsets, and a cooperative group of two. The argument is the broker's address.
Prints one JSON object of findings; an exception tells which step failed."""

import json
import sys
import threading
import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

ADDRESS = sys.argv[1]
PATIENCE_S = 30
PARTITIONS = 4
RECORDS = 400

admin = AdminClient({"bootstrap.servers": ADDRESS})
found = {}


def settle(futures):
    """The results by key; raises what any of them raises."""
    return {key: future.result(PATIENCE_S) for key, future in futures.items()}


def create(topic, partitions=1, **config):
    config = {name.replace("_", "."): value for name, value in config.items()}
    settle(admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))


def consumer(group, **config):
    return Consumer(
        {
            "bootstrap.servers": ADDRESS,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "heartbeat.interval.ms": 200,
            "session.timeout.ms": 6000,
            **{name.replace("_", "."): value for name, value in config.items()},
        }
    )


def producer(**config):
    config = {name.replace("_", "."): value for name, value in config.items()}
    return Producer({"bootstrap.servers": ADDRESS, "linger.ms": 5, **config})


def until(condition, what):
    """Polls `condition` (which does the work) until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}, after {found}")


def read(topic, count, group):
    """Values of `count` records and of those too many, in order, from a group of its own."""
    reader = consumer(group)
    reader.subscribe([topic])
    values = []

    def take(timeout_s=0.2):
        message = reader.poll(timeout_s)
        if message is None:
            return False
        if message.error() is not None:
            raise KafkaException(message.error())
        values.append(message.value().decode())
        return True

    until(lambda: (take(), len(values) >= count)[1], f"reading {topic}")
    while take(0.5):
        pass
    reader.close()
    return values


def administer():
    create("administered", 2, retention_ms="3600000")
    try:
        create("administered", 2)
        found["created twice"] = "done"
    except KafkaException as error:
        found["created twice"] = error.args[0].name()
    settle(admin.create_partitions([NewPartitions("administered", 3)]))
    operations = [
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET),
    ]
    topic = ConfigResource(ResourceType.TOPIC, "administered", incremental_configs=operations)
    settle(admin.incremental_alter_configs([topic]))
    configs = settle(admin.describe_configs([topic]))[topic]
    for name in ("cleanup.policy", "retention.ms", "max.message.bytes"):
        found[name] = f"{configs[name].value} {ConfigSource(configs[name].source).name}"
    found["partitions"] = len(admin.list_topics("administered").topics["administered"].partitions)
    try:
        sender = producer()
        refusals = []
        sender.produce("administered", b"x" * 3000, callback=lambda e, _: refusals.append(e.name()))
        sender.flush(PATIENCE_S)
        found["too large"] = refusals
    finally:
        settle(admin.delete_topics(["administered"]))
    found["deleted"] = "administered" not in admin.list_topics().topics
    found["nodes"] = len(admin.describe_cluster().result(PATIENCE_S).nodes)


def transact():
    create("from")
    create("to")
    source = producer(enable_idempotence=True)
    for number in range(30):
        source.produce("from", str(number).encode())
    source.flush(PATIENCE_S)
    mover = producer(transactional_id="mover")
    mover.init_transactions(PATIENCE_S)
    reader = consumer("movers")
    reader.subscribe(["from"])
    moved = []

    def move(is_committed):
        batch = []
        until(lambda: (batch.extend(reader.consume(10 - len(batch), 0.2)), len(batch) == 10)[1], "moving")
        mover.begin_transaction()
        for message in batch:
            mover.produce("to", message.value())
        # What has not been sent yet would not be sent at all by an abort.
        mover.flush(PATIENCE_S)
        metadata = reader.consumer_group_metadata()
        mover.send_offsets_to_transaction(reader.position(reader.assignment()), metadata, PATIENCE_S)
        if is_committed:
            mover.commit_transaction(PATIENCE_S)
            moved.extend(message.value().decode() for message in batch)
        else:
            mover.abort_transaction(PATIENCE_S)
            for partition in reader.committed(reader.assignment(), PATIENCE_S):
                reader.seek(partition)

    for is_committed in (True, False, True, False, True):
        move(is_committed)
    found["moved"] = moved == [str(number) for number in range(30)]
    found["read"] = read("to", 30, "readers-of-to") == moved
    found["committed"] = reader.committed([TopicPartition("from", 0)], PATIENCE_S)[0].offset
    reader.close()
    mover.begin_transaction()
    mover.produce("to", b"zombie's")
    mover.flush(PATIENCE_S)
    heir = producer(transactional_id="mover")
    heir.init_transactions(PATIENCE_S)
    try:
        mover.commit_transaction(PATIENCE_S)
        found["zombie"] = "committed"
    except KafkaException as error:
        found["zombie"] = [error.args[0].name(), error.args[0].fatal()]
    ends = {}
    for level in IsolationLevel:
        end = {TopicPartition("to", 0): OffsetSpec.latest()}
        listed = settle(admin.list_offsets(end, isolation_level=level))
        ends[level.name] = next(iter(listed.values())).offset
    # Each of the six transactions (one of them the zombie's) left a marker in the log.
    found["ends"] = ends


class Member(threading.Thread):
    """Reads and commits until told to leave; remembers what a rebalance gave and took."""

    def __init__(self, name, seen):
        super().__init__(daemon=True)
        self.member = consumer("sharers", partition_assignment_strategy="cooperative-sticky", client_id=name)
        self.seen, self.gained, self.revoked, self.owned = seen, [], [], set()
        self.failure = None
        self.leaving = threading.Event()

    def run(self):
        try:
            self.member.subscribe(["shared"], on_assign=self.assign, on_revoke=self.revoke)
            while not self.leaving.is_set():
                message = self.member.poll(0.05)
                if message is None:
                    continue
                if message.error() is not None:
                    raise KafkaException(message.error())
                self.seen.append(message.value())
                self.member.commit(message, asynchronous=False)
            self.member.close()
        except BaseException as failure:
            self.failure = failure

    def assign(self, member, partitions):
        self.gained.append(len(partitions))
        member.incremental_assign(partitions)
        self.owned = {each.partition for each in member.assignment()}

    def revoke(self, member, partitions):
        self.revoked.append(len(partitions))
        member.incremental_unassign(partitions)
        self.owned = {each.partition for each in member.assignment()}

    def leave(self):
        self.leaving.set()
        self.join(PATIENCE_S)
        if self.failure is not None:
            raise self.failure


def share():
    create("shared", PARTITIONS)
    sender = producer()
    seen = []

    def send(first, count):
        for number in range(first, first + count):
            sender.produce("shared", str(number).encode(), partition=number % PARTITIONS)
        sender.flush(PATIENCE_S)
        until(lambda: (time.sleep(0.02), len(set(seen)) == first + count)[1], "sharing")

    one, two = Member("one", seen), Member("two", seen)
    one.start()
    send(0, RECORDS // 2)
    two.start()
    until(lambda: (time.sleep(0.02), len(one.owned) == 2 and len(two.owned) == 2)[1], "rebalance")
    found["revoked from the first"] = list(one.revoked)
    found["gained by the second"] = sum(two.gained)
    found["disjoint"] = one.owned.isdisjoint(two.owned)
    send(RECORDS // 2, RECORDS // 2)
    described = settle(admin.describe_consumer_groups(["sharers"]))["sharers"]
    found["group"] = [described.state.name, described.partition_assignor, len(described.members)]
    two.leave()
    until(lambda: (time.sleep(0.02), len(one.owned) == PARTITIONS)[1], "hand-over")
    one.leave()
    found["seen"] = [len(seen), len(set(seen))]
    request = [ConsumerGroupTopicPartitions("sharers")]
    offsets = settle(admin.list_consumer_group_offsets(request))["sharers"]
    found["offsets"] = sum(each.offset for each in offsets.topic_partitions)
    settle(admin.delete_consumer_groups(["sharers"]))
    listed = admin.list_consumer_groups().result(PATIENCE_S)
    found["groups left"] = "sharers" in [each.group_id for each in listed.valid]


administer()
transact()
share()
print(json.dumps(found))
