import type { GroupProtocol, MemberAssignment, TopicPartition } from '../../kafka/ports.ts';

/** Deals the topic's partitions over the members in the order of their ids. */
export function dealingProtocol(
  topic: string,
  partitions: number,
  callbacks: Partial<GroupProtocol> = {},
): GroupProtocol {
  return {
    name: 'deal',
    topics: () => [topic],
    userData: () => null,
    assign: async (members) => {
      const ids = members.map(({ memberId }) => memberId).toSorted();
      const dealt = (index: number): MemberAssignment => ({
        partitions: Array.from({ length: partitions }, (_, partition) => ({
          topic,
          partition,
        })).filter(({ partition }: TopicPartition) => partition % ids.length === index),
        userData: Buffer.from(`${ids.length} members`),
      });
      return new Map(ids.map((id, index) => [id, dealt(index)]));
    },
    onRevoked: async () => {},
    onAssigned: async () => {},
    onLost: async () => {},
    onFatal: () => {},
    ...callbacks,
  };
}
