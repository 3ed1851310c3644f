/** The handlers through which records go in and out. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { TopicManager, TransactionVerifier } from '../ports.ts';
import type { AnyHandler } from './define-handler.ts';
import { deleteRecordsHandler } from './delete-records.ts';
import { describeProducersHandler } from './describe-producers.ts';
import { fetchHandler } from './fetch.ts';
import { listOffsetsHandler } from './list-offsets.ts';
import { offsetForLeaderEpochHandler } from './offset-for-leader-epoch.ts';
import { produceHandler } from './produce.ts';

export function dataPlaneHandlers(
  topics: TopicManager,
  verifier: TransactionVerifier,
  clock: Clock,
  random: Random,
): readonly AnyHandler[] {
  return [
    produceHandler(topics, verifier),
    fetchHandler(topics, clock, random),
    listOffsetsHandler(topics),
    offsetForLeaderEpochHandler(topics),
    deleteRecordsHandler(topics),
    describeProducersHandler(topics),
  ];
}
