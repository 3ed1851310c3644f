import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../../embedded-kafka/disk/memory-disk.ts';
import { TOPIC_CONFIGS } from '../../../embedded-kafka/partitions/topic-config.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { appendTo, batchOf, openStorage, readAll, values } from '../storage-fixture.ts';

const spec = (name: string, partitions = 1, configs: Record<string, string> = {}) => ({
  name,
  partitions,
  configs: new Map(Object.entries(configs)),
});

describe('topics', () => {
  test('are there after a restart, with ids, counts, configs and records', async () => {
    const { topics, disk } = await openStorage();
    topics.createTopic({ ...spec('a', 3, { 'retention.ms': '5' }), isInternal: true });
    topics.createTopic(spec('b'));
    await appendTo(topics.partition('a', 2)!, batchOf(['x']));
    const { topicId } = topics.topic('a')!;
    const { topics: again } = await openStorage(disk.killProcess());
    const topic = again.topicById(topicId)!;
    expect([topic.name, topic.isInternal, topic.partitions.length]).toEqual(['a', true, 3]);
    expect(Object.fromEntries(topic.configs)).toEqual({ 'retention.ms': '5' });
    expect(values(readAll(again.partition('a', 2)!))).toEqual(['x']);
    expect(topicId).toMatch(/^[0-9a-f]{32}$/);
    expect(again.topics().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test.each([
    ['', Errors.INVALID_TOPIC_EXCEPTION],
    ['.', Errors.INVALID_TOPIC_EXCEPTION],
    ['..', Errors.INVALID_TOPIC_EXCEPTION],
    ['a/b', Errors.INVALID_TOPIC_EXCEPTION],
    ['ü', Errors.INVALID_TOPIC_EXCEPTION],
    ['x'.repeat(250), Errors.INVALID_TOPIC_EXCEPTION],
    ['taken', Errors.TOPIC_ALREADY_EXISTS],
    ['dotted_name', Errors.INVALID_TOPIC_EXCEPTION],
    ['x'.repeat(249), Errors.NONE],
  ])('called %j are answered as by Kafka', async (name, error) => {
    const { topics } = await openStorage();
    topics.createTopic(spec('taken'));
    topics.createTopic(spec('dotted.name'));
    expect(topics.createTopic(spec(name)).error).toBe(error);
  });

  test.each([0, -1, 1.5, 1_000_000])('of %d partitions are refused', async (count) => {
    const { topics } = await openStorage();
    expect(topics.createTopic(spec('t', count)).error).toBe(Errors.INVALID_PARTITIONS);
  });

  test('that are only validated do not come into being', async () => {
    const { topics } = await openStorage();
    expect(topics.createTopic({ ...spec('t'), validateOnly: true })).toEqual({ error: 0 });
    expect(topics.topic('t')).toBeUndefined();
  });

  test('deleted are gone with their files, and a new one of the name is empty', async () => {
    const { topics, disk } = await openStorage();
    topics.createTopic(spec('t'));
    const { topicId } = topics.topic('t')!;
    const partition = topics.partition('t', 0)!;
    await appendTo(partition, batchOf(['x']));
    expect(topics.deleteTopic('t')).toBe(0);
    expect(topics.deleteTopic('t')).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect(disk.exists(`topics/${topicId}`)).toBe(false);
    expect((await appendTo(partition, batchOf(['y']))).error).toBe(
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
    );
    topics.createTopic(spec('t'));
    expect(topics.partition('t', 0)!.highWatermark).toBe(0);
    expect(topics.topic('t')!.topicId).not.toBe(topicId);
  });

  test('deleted while an append waits for the disk make it fail, not hang', async () => {
    const disk = new MemoryDisk({
      syncDelay: () => new Promise((resolve) => setImmediate(resolve)),
    });
    const { topics, failures } = await openStorage(disk);
    topics.createTopic(spec('t'));
    const waiting = appendTo(topics.partition('t', 0)!, batchOf(['x']));
    topics.deleteTopic('t');
    await expect(waiting).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
  });

  test('grow in partitions and never shrink', async () => {
    const { topics, disk } = await openStorage();
    topics.createTopic(spec('t', 2));
    expect(topics.addPartitions('t', 2).error).toBe(Errors.INVALID_PARTITIONS);
    expect(topics.addPartitions('t', 1).error).toBe(Errors.INVALID_PARTITIONS);
    expect(topics.addPartitions('u', 3).error).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect(topics.addPartitions('t', 4)).toEqual({ error: 0 });
    expect((await appendTo(topics.partition('t', 3)!, batchOf(['x']))).error).toBe(0);
    const { topics: again } = await openStorage(disk.killProcess());
    expect(again.topic('t')!.partitions).toHaveLength(4);
  });

  test('whose metadata file is damaged are not guessed at', async () => {
    const { topics, disk } = await openStorage();
    topics.createTopic(spec('t'));
    disk.flipBit('topics.json', 20);
    await expect(openStorage(disk.killProcess())).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });
});

describe('topic configuration', () => {
  test('has defaults for every name and says which are set', async () => {
    const { topics } = await openStorage();
    topics.createTopic(spec('t', 1, { 'cleanup.policy': 'compact' }));
    const all = new Map(topics.configOf('t').map((config) => [config.name, config]));
    expect(all.size).toBe(TOPIC_CONFIGS.size);
    expect(all.get('cleanup.policy')).toMatchObject({ value: 'compact', isDefault: false });
    expect(all.get('retention.ms')).toMatchObject({ value: '604800000', isDefault: true });
    expect(all.get('max.message.bytes')).toMatchObject({ value: '1048588', isDefault: true });
  });

  test.each([
    ['no.such.config', '1'],
    ['retention.ms', 'soon'],
    ['retention.ms', '-2'],
    ['segment.bytes', '10'],
    ['cleanup.policy', 'burn'],
    ['compression.type', 'gzip'],
    ['message.timestamp.type', 'logappendtime'],
    ['min.cleanable.dirty.ratio', '1.1'],
    ['min.insync.replicas', '0'],
    ['preallocate', 'maybe'],
  ])('refuses %s=%s', async (name, value) => {
    const { topics } = await openStorage();
    const created = topics.createTopic(spec('t', 1, { [name]: value }));
    expect(created.error).toBe(Errors.INVALID_CONFIG);
    expect(created.errorMessage).toContain(name);
    expect(topics.topic('t')).toBeUndefined();
  });

  test('changes at run time: set, delete, append, subtract', async () => {
    const { topics, disk } = await openStorage();
    topics.createTopic(spec('t'));
    const change = (
      name: string,
      operation: 'set' | 'delete' | 'append' | 'subtract',
      value: string | null,
    ) => topics.alterConfigs('t', [{ name, operation, value }], false).error;
    const policy = () => topics.configOf('t').find(({ name }) => name === 'cleanup.policy')!.value;
    expect(change('cleanup.policy', 'append', 'compact')).toBe(0);
    expect(policy()).toBe('delete,compact');
    expect(change('cleanup.policy', 'subtract', 'delete')).toBe(0);
    expect(policy()).toBe('compact');
    expect(change('cleanup.policy', 'delete', null)).toBe(0);
    expect(policy()).toBe('delete');
    expect(change('retention.ms', 'append', '1')).toBe(Errors.INVALID_CONFIG);
    expect(change('retention.ms', 'set', null)).toBe(Errors.INVALID_REQUEST);
    expect(change('max.message.bytes', 'set', '200')).toBe(0);
    const refused = await appendTo(topics.partition('t', 0)!, batchOf(['x'.repeat(300)]));
    expect(refused.error).toBe(Errors.MESSAGE_TOO_LARGE);
    const { topics: again } = await openStorage(disk.killProcess());
    expect(Object.fromEntries(again.topic('t')!.configs)).toEqual({ 'max.message.bytes': '200' });
  });

  test('is not changed by a validation', async () => {
    const { topics } = await openStorage();
    topics.createTopic(spec('t'));
    const change = [{ name: 'retention.ms', operation: 'set' as const, value: '5' }];
    expect(topics.alterConfigs('t', change, true).error).toBe(0);
    expect(topics.topic('t')!.configs.size).toBe(0);
    expect(topics.alterConfigs('u', change, true).error).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('forbids deleting records where cleanup.policy does not say delete', async () => {
    const { topics } = await openStorage();
    topics.createTopic(spec('t', 1, { 'cleanup.policy': 'compact' }));
    const partition = topics.partition('t', 0)!;
    await appendTo(partition, batchOf(['x']));
    expect(await partition.deleteRecordsBefore(1)).toBe(Errors.POLICY_VIOLATION);
    topics.createTopic(spec('u'));
    expect(await topics.partition('u', 0)!.deleteRecordsBefore(1)).toBe(Errors.OFFSET_OUT_OF_RANGE);
    await appendTo(topics.partition('u', 0)!, batchOf(['x', 'y']));
    expect(await topics.partition('u', 0)!.deleteRecordsBefore(-1)).toBe(0);
    expect(topics.partition('u', 0)!.logStartOffset).toBe(2);
  });
});
