import { defineConfig } from 'vitest/config';

/** Tests that need a real Apache Kafka: KAFKA_BROKERS names it (test/run.ts starts one). */
export default defineConfig({
  test: {
    include: ['test/kafka/**/*.kafka.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
