// What franz-go finds when it speaks to a broker: administration, idempotent production with each
// codec, transactions, and a consume-transform-produce group. The argument is the broker's address.
// Prints one JSON object of findings; ends with status 1 and the reason when a step fails.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions     = 3
	recordsOfCodec = 500
	recordsToMove  = 600
)

type findings map[string]any

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	found := findings{}
	steps := []func(context.Context, string, findings) error{
		administer, produceIdempotently, commitAndAbort, fenceTheZombie, moveExactlyOnce, inspectGroups,
	}
	for _, step := range steps {
		if err := step(ctx, os.Args[1], found); err != nil {
			fmt.Fprintf(os.Stderr, "%v after %v\n", err, found)
			os.Exit(1)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}

func connect(address string, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(address))...)
}

func withAdmin(address string, use func(*kadm.Client) error) error {
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	return use(kadm.NewClient(client))
}

func createTopics(ctx context.Context, address string, count int32, topics ...string) error {
	return withAdmin(address, func(admin *kadm.Client) error {
		created, err := admin.CreateTopics(ctx, count, 1, nil, topics...)
		return errors.Join(err, created.Error())
	})
}

func administer(ctx context.Context, address string, found findings) error {
	return withAdmin(address, func(admin *kadm.Client) error {
		retention, topic := "3600000", "administered"
		configs := map[string]*string{"retention.ms": &retention}
		if _, err := admin.CreateTopic(ctx, 2, 1, configs, topic); err != nil {
			return fmt.Errorf("create: %w", err)
		}
		_, again := admin.CreateTopic(ctx, 2, 1, nil, topic)
		found["created twice"] = errors.Is(again, kerr.TopicAlreadyExists)
		grown, err := admin.CreatePartitions(ctx, 2, topic)
		if err = errors.Join(err, grown.Error()); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
		policy := "compact"
		change := []kadm.AlterConfig{{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &policy}}
		if _, err = admin.AlterTopicConfigs(ctx, change, topic); err != nil {
			return fmt.Errorf("alter: %w", err)
		}
		described, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return fmt.Errorf("describe: %w", err)
		}
		for _, config := range described[0].Configs {
			if config.Key == "retention.ms" || config.Key == "cleanup.policy" {
				found[config.Key] = config.MaybeValue()
			}
		}
		listed, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		found["grown"] = len(listed[topic].Partitions)
		deleted, err := admin.DeleteTopics(ctx, topic)
		if err = errors.Join(err, deleted.Error()); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		listed, err = admin.ListTopics(ctx)
		found["deleted"] = !listed.Has(topic)
		return err
	})
}

func produceIdempotently(ctx context.Context, address string, found findings) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		topic := "codec-" + name
		if err := createTopics(ctx, address, partitions, topic); err != nil {
			return err
		}
		if err := produceNumbers(ctx, address, topic, recordsOfCodec, codec); err != nil {
			return fmt.Errorf("produce with %s: %w", name, err)
		}
		values, err := readAll(ctx, address, topic, recordsOfCodec)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		found[name] = distinct(values)
	}
	return nil
}

func produceNumbers(
	ctx context.Context, address string, topic string, count int, codec kgo.CompressionCodec,
) error {
	// Idempotence is what franz-go does unless told otherwise.
	client, err := connect(address, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec))
	if err != nil {
		return err
	}
	defer client.Close()
	records := make([]*kgo.Record, count)
	for number := range records {
		text := strconv.Itoa(number)
		records[number] = kgo.KeyStringRecord("key-"+text, text)
		records[number].Headers = []kgo.RecordHeader{{Key: "number", Value: []byte(text)}}
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// readAll consumes as a group of its own, read_committed, until `count` records have come, and then
// looks once more, so that records too many are seen as well.
func readAll(ctx context.Context, address string, topic string, count int) ([]string, error) {
	client, err := connect(
		address, kgo.ConsumeTopics(topic), kgo.ConsumerGroup("readers-of-"+topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var values []string
	collect := func(record *kgo.Record) { values = append(values, string(record.Value)) }
	for len(values) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return values, err
		}
		fetches.EachRecord(collect)
	}
	once, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	client.PollFetches(once).EachRecord(collect)
	return values, client.CommitUncommittedOffsets(ctx)
}

func distinct(values []string) string {
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%d of %d", len(slices.Compact(sorted)), len(values))
}

func commitAndAbort(ctx context.Context, address string, found findings) error {
	const topic = "transacted"
	if err := createTopics(ctx, address, 1, topic); err != nil {
		return err
	}
	client, err := connect(address, kgo.TransactionalID("franz"), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, turn := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"first", kgo.TryCommit}, {"never", kgo.TryAbort}, {"last", kgo.TryCommit}} {
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(turn.value)).FirstErr(); err != nil {
			return fmt.Errorf("produce %s: %w", turn.value, err)
		}
		if err := client.EndTransaction(ctx, turn.end); err != nil {
			return fmt.Errorf("end %s: %w", turn.value, err)
		}
	}
	found["committed"], err = readAll(ctx, address, topic, 2)
	return err
}

// fenceTheZombie lets a second producer take over the id while the first one's transaction is open.
func fenceTheZombie(ctx context.Context, address string, found findings) error {
	const topic = "fenced"
	if err := createTopics(ctx, address, 1, topic); err != nil {
		return err
	}
	join := func() (*kgo.Client, error) {
		client, err := connect(address, kgo.TransactionalID("zombie"), kgo.DefaultProduceTopic(topic))
		if err != nil {
			return nil, err
		}
		return client, client.BeginTransaction()
	}
	zombie, err := join()
	if err != nil {
		return err
	}
	defer zombie.Close()
	if err := zombie.ProduceSync(ctx, kgo.StringRecord("before")).FirstErr(); err != nil {
		return err
	}
	heir, err := join()
	if err != nil {
		return err
	}
	defer heir.Close()
	if err := heir.ProduceSync(ctx, kgo.StringRecord("heir's")).FirstErr(); err != nil {
		return err
	}
	if err := heir.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	late := zombie.ProduceSync(ctx, kgo.StringRecord("late")).FirstErr()
	found["zombie"] = errors.Is(late, kerr.ProducerFenced) || errors.Is(late, kerr.InvalidProducerEpoch)
	found["after the zombie"], err = readAll(ctx, address, topic, 1)
	return err
}

// moveExactlyOnce copies with two members of a group; every third transaction is aborted on purpose.
func moveExactlyOnce(ctx context.Context, address string, found findings) error {
	if err := createTopics(ctx, address, partitions, "from", "to"); err != nil {
		return err
	}
	if err := produceNumbers(ctx, address, "from", recordsToMove, kgo.NoCompression()); err != nil {
		return err
	}
	moving, stop := context.WithCancel(ctx)
	defer stop()
	var movers sync.WaitGroup
	failures := make(chan error, 2)
	for _, id := range []string{"mover-1", "mover-2"} {
		movers.Go(func() { failures <- move(moving, address, id) })
	}
	values, err := readAll(ctx, address, "to", recordsToMove)
	stop()
	movers.Wait()
	found["moved"] = distinct(values)
	return errors.Join(err, <-failures, <-failures)
}

func move(ctx context.Context, address string, id string) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(address), kgo.TransactionalID(id), kgo.DefaultProduceTopic("to"),
		kgo.ConsumeTopics("from"), kgo.ConsumerGroup("movers"), kgo.RequireStableFetchOffsets(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	for turn := 1; ; turn++ {
		fetches := session.PollRecords(ctx, 50)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%s polls: %w", id, err)
		}
		if err := session.Begin(); err != nil {
			return fmt.Errorf("%s begins: %w", id, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, kgo.KeySliceRecord(record.Key, record.Value), nil)
		})
		// End flushes; it aborts by itself after a rebalance, and consumes again what it had read.
		if _, err := session.End(ctx, turn%3 != 0); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s ends: %w", id, err)
		}
	}
}

func inspectGroups(ctx context.Context, address string, found findings) error {
	return withAdmin(address, func(admin *kadm.Client) error {
		offsets, err := admin.FetchOffsets(ctx, "movers")
		if err != nil {
			return err
		}
		committed := int64(0)
		offsets.Each(func(offset kadm.OffsetResponse) { committed += offset.At })
		found["offsets"] = committed
		described, err := admin.DescribeGroups(ctx, "movers")
		if err = errors.Join(err, described.Error()); err != nil {
			return err
		}
		found["state"] = described["movers"].State
		lag, err := admin.Lag(ctx, "movers")
		if err = errors.Join(err, lag.Error()); err != nil {
			return err
		}
		movers := lag["movers"]
		found["lag"] = movers.Lag.Total()
		transactions, err := admin.DescribeTransactions(ctx, "franz")
		if err != nil {
			return err
		}
		found["transaction"] = transactions["franz"].State
		if _, err := admin.DeleteGroup(ctx, "movers"); err != nil {
			return err
		}
		listed, err := admin.ListGroups(ctx)
		found["groups left"] = slices.Contains(listed.Groups(), "movers")
		return err
	})
}
