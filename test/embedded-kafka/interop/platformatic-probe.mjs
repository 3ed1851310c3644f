// What @platformatic/kafka finds when it speaks to a broker. The argument is the broker's address. It is
// copied to where the package is. Prints one JSON object of findings.
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';

const bootstrapBrokers = [process.argv[2]];
const COUNT = 300;
const found = {};

const admin = new Admin({ clientId: 'admin', bootstrapBrokers });
await admin.createTopics({ topics: ['plain'], partitions: 3, replicas: 1 });
await admin.createTopics({ topics: ['transacted'], partitions: 1, replicas: 1 });
found.topics = (await admin.listTopics()).toSorted();

/** Reads `count` values as a group, read_committed, commits, and leaves. */
async function read(topic, groupId, count) {
  const consumer = new Consumer({
    clientId: groupId,
    groupId,
    bootstrapBrokers,
    deserializers: stringDeserializers,
    isolationLevel: 1,
    maxWaitTime: 100,
  });
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
  });
  const values = [];
  for await (const message of stream) {
    values.push(message.value);
    await message.commit();
    if (values.length === count) break;
  }
  await consumer.close(true);
  return values;
}

const options = { clientId: 'producer', bootstrapBrokers, serializers: stringSerializers };
for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  const producer = new Producer({ ...options, idempotent: true, compression });
  const messages = Array.from({ length: COUNT }, (_, number) => ({
    topic: 'plain',
    key: `${number}`,
    value: `${compression} ${number}`,
  }));
  await producer.send({ messages });
  await producer.close();
}
found.read = new Set(await read('plain', 'readers', 5 * COUNT)).size;

const producer = new Producer({ ...options, idempotent: true, transactionalId: 'platformatic' });
for (const value of ['first', 'never', 'last']) {
  const transaction = await producer.beginTransaction();
  await transaction.send({ messages: [{ topic: 'transacted', value }] });
  if (value === 'never') await transaction.abort();
  else await transaction.commit();
}
await producer.close();
found.committed = await read('transacted', 'committed-only', 2);

const groups = await admin.describeGroups({ groups: ['readers'] });
found.state = groups.get('readers').state;
await admin.deleteGroups({ groups: ['readers'] });
await admin.deleteTopics({ topics: ['plain'] });
found.left = await admin.listTopics();
await admin.close();
console.log(JSON.stringify(found));
