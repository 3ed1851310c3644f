import { expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

test('word count reads like the example of Kafka Streams, and counts', async () => {
  const builder = new StreamsBuilder();
  builder
    .stream('text-lines', { keySerde: stringSerde, valueSerde: stringSerde })
    .flatMapValues((line) => line.toLowerCase().split(/\W+/))
    .groupBy((_, word) => word, { keySerde: stringSerde, valueSerde: stringSerde })
    .count({ store: 'counts' })
    .toStream()
    .to('word-counts');

  const driver = new TopologyTestDriver(builder.build());
  const lines = driver.createInputTopic('text-lines', stringSerde, stringSerde);
  const counts = driver.createOutputTopic('word-counts', stringSerde, int64Serde);

  await lines.pipeInput(null, 'All streams lead to Kafka');
  await lines.pipeInput(null, 'Hello Kafka Streams');

  expect(Object.fromEntries(counts.readKeyValuesToMap())).toEqual({
    ...{ all: 1, streams: 2, lead: 1, to: 1, kafka: 2, hello: 1 },
  });
  expect(driver.getKeyValueStore<string, number>('counts').get('kafka')).toBe(2);
  expect(driver.producedTopicNames()).toEqual(new Set(['test-counts-repartition', 'word-counts']));
  await driver.close();
});
