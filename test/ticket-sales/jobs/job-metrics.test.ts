import { expect, test } from 'vitest';
import { Metrics } from '../../../interactive-queries/metrics.ts';
import type { Job } from '../../../ticket-sales/jobs/job.ts';
import { JobFigures } from '../../../ticket-sales/jobs/job-figures.ts';
import { watchJobs } from '../../../ticket-sales/jobs/job-metrics.ts';
import { JOB_STORES } from '../../../ticket-sales/jobs/job-processor.ts';
import { oldestJobs } from '../../../ticket-sales/jobs/open-jobs.ts';
import { FakeStreams } from '../../interactive-queries/fake-streams.ts';
import { checkMetrics } from '../../kit/check-metrics.ts';

const samplesOf = (text: string, name: string) =>
  text.split('\n').filter((line) => line.startsWith(`${name}{`));

test('jobs are told by service and way, as Prometheus wants it', async () => {
  const figures = new JobFigures();
  const metrics = new Metrics(new FakeStreams(), '1');
  watchJobs(metrics, figures, () => 10_000);
  const payments = figures.of('payments');
  payments.requested('payment');
  payments.attempted('payment', 1);
  payments.attempted('payment', 2);
  payments.ended('payment', 'done', 700);
  payments.ended('refund', 'failed', 5_000);
  payments.open = {
    inFlight: () => new Map([['payment', 3]]),
    oldest: async () => new Map([['payment', 7_500]]),
  };
  const text = await metrics.text();
  expect(checkMetrics(text)).toEqual([]);
  const told = (name: string) => samplesOf(text, `tickets_${name}`);
  const labels = '{service="payments",way="payment"}';
  expect(told('jobs_requested_total')[0]).toBe(`tickets_jobs_requested_total${labels} 1`);
  expect(told('jobs_attempts_total')[0]).toBe(`tickets_jobs_attempts_total${labels} 2`);
  expect(told('jobs_retries_total')[0]).toBe(`tickets_jobs_retries_total${labels} 1`);
  expect(told('jobs_delivered_total')[0]).toBe(`tickets_jobs_delivered_total${labels} 1`);
  expect(told('jobs_dead_lettered_total')[1]).toBe(
    'tickets_jobs_dead_lettered_total{service="payments",way="refund"} 1',
  );
  expect(told('in_flight_jobs')).toEqual([`tickets_in_flight_jobs${labels} 3`]);
  expect(told('jobs_oldest_seconds')).toEqual([`tickets_jobs_oldest_seconds${labels} 2.5`]);
  expect(told('job_duration_seconds_count')).toEqual([
    `tickets_job_duration_seconds_count${labels} 1`,
  ]);
});

test('nothing is told of services that were never asked for anything', async () => {
  const metrics = new Metrics(new FakeStreams(), '1');
  watchJobs(metrics, new JobFigures(), () => 0);
  const text = await metrics.text();
  expect(checkMetrics(text)).toEqual([]);
  expect(text.split('\n').filter((line) => line.startsWith('tickets_job'))).toEqual([]);
});

test('the oldest job is looked for among those next in line and those under way, where they are', async () => {
  const streams = new FakeStreams();
  for (const name of Object.values(JOB_STORES)) streams.addStore(name, { partitionCount: 3 });
  const put = (partition: number, queue: string, way: string, requestedAtMs: number) => {
    const jobId = `${way}-${partition}-${requestedAtMs}`;
    streams.put(JOB_STORES.due, partition, `${queue}/${requestedAtMs}/${jobId}`, jobId);
    const job: Partial<Job> = { jobId, way, requestedAtMs };
    streams.put(JOB_STORES.jobs, partition, jobId, job);
  };
  put(0, 'way:mail', 'mail', 300);
  put(0, 'way:mail', 'mail', 400);
  put(0, 'leases', 'hook', 250);
  put(1, 'leases', 'mail', 200);
  put(2, 'way:mail', 'mail', 100);
  streams.elsewhere.set(2, { host: 'other', port: 1 });
  expect(await oldestJobs(streams, ['mail', 'hook'])).toEqual(
    new Map([
      ['hook', 250],
      ['mail', 200],
    ]),
  );
});
