import { describe, expect, test } from 'vitest';
import { Metrics } from '../../interactive-queries/metrics.ts';
import { checkMetrics } from '../kit/check-metrics.ts';
import { FakeStreams } from './fake-streams.ts';

function samplesOf(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe('metrics', () => {
  test('have names, types and units as Prometheus wants them', async () => {
    const metrics = new Metrics(new FakeStreams(), '1.2.3');
    metrics.answered('/v1/things/{thing}', 'GET', 200, 3);
    metrics.problem('not-found');
    metrics.forwarded('answered');
    metrics.counter('tickets_things_total', 'Things')();
    expect(checkMetrics(await metrics.text())).toEqual([]);
  });

  test('count answers by route, method and status, problems by type, forwards by outcome', async () => {
    const metrics = new Metrics(new FakeStreams(), '1');
    metrics.answered('/a', 'GET', 200, 3);
    metrics.answered('/a', 'GET', 200, 30);
    metrics.answered('/a', 'GET', 503, 1);
    metrics.problem('rebalancing');
    metrics.forwarded('timeout');
    const text = await metrics.text();
    const labels = '{http_request_method="GET",http_route="/a",http_response_status_code="200"}';
    expect(text).toContain(`http_server_request_duration_seconds_count${labels} 2`);
    expect(text).toContain(`http_server_request_duration_seconds_sum${labels} 0.033`);
    expect(samplesOf(text, 'http_server_problems_total')).toEqual([
      'http_server_problems_total{type="rebalancing"} 1',
    ]);
    expect(samplesOf(text, 'iq_forwards_total')).toEqual([
      'iq_forwards_total{outcome="timeout"} 1',
    ]);
  });

  test('tell of answers how many took at most so long, each bucket with those before it', async () => {
    const metrics = new Metrics(new FakeStreams(), '1');
    for (const durationMs of [1, 1.5, 2.5, 10_000, 10_001]) {
      metrics.answered('/a', 'GET', 200, durationMs);
    }
    const buckets = samplesOf(await metrics.text(), 'http_server_request_duration_seconds_bucket');
    const counts = buckets.map((line) => /le="([^"]+)".* (\d+)$/.exec(line)?.slice(1));
    expect(counts.slice(0, 3)).toEqual([
      ['0.001', '1'],
      ['0.0025', '3'],
      ['0.005', '3'],
    ]);
    expect(counts.slice(-2)).toEqual([
      ['10', '4'],
      ['+Inf', '5'],
    ]);
  });

  test('tell the state and the tasks as they are when asked', async () => {
    const streams = new FakeStreams();
    const metrics = new Metrics(streams, '1');
    const task = {
      taskId: '0_3',
      role: 'active',
      status: 'restoring',
      thread: 't',
      inputLag: 7,
      remainingRestoreRecords: 9,
      restoreTotalRecords: 20,
      lastCommitAtMs: 0,
      droppedRecords: 3,
    } as const;
    streams.currentTasks = [task, { ...task, taskId: '0_4' }];
    streams.silentMs = 1_500;
    const text = await metrics.text();
    expect(samplesOf(text, 'kstream_state').filter((line) => line.endsWith(' 1'))).toEqual([
      'kstream_state{state="RUNNING"} 1',
    ]);
    expect(samplesOf(text, 'kstream_tasks')).toEqual([
      'kstream_tasks{role="active",status="restoring"} 2',
    ]);
    expect(samplesOf(text, 'kstream_consumer_lag_records')).toContain(
      'kstream_consumer_lag_records{task="0_3"} 7',
    );
    expect(samplesOf(text, 'kstream_restore_remaining_records')).toContain(
      'kstream_restore_remaining_records{task="0_4"} 9',
    );
    expect(samplesOf(text, 'kstream_dropped_records_total')).toEqual([
      'kstream_dropped_records_total{task="0_3"} 3',
      'kstream_dropped_records_total{task="0_4"} 3',
    ]);
    expect(samplesOf(text, 'kstream_kafka_silent_seconds')).toEqual([
      'kstream_kafka_silent_seconds 1.5',
    ]);
    streams.currentTasks = [];
    expect(samplesOf(await metrics.text(), 'kstream_tasks')).toEqual([]);
  });
});
