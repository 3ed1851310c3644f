/**
 * The broker's settings, under Kafka's own names, as text in and values out. Defaults are Kafka's, except
 * where one node on one machine wants another: fewer partitions for internal topics, no initial rebalance
 * delay, timed out transactions looked for every second.
 */
import { MillraceError } from '../base/errors.ts';

interface Setting {
  readonly default: string;
  readonly documentation: string;
  readonly type: 'int' | 'long' | 'boolean';
  readonly min?: number;
}

const SETTINGS = {
  'auto.create.topics.enable': {
    type: 'boolean',
    default: 'false',
    documentation: 'Create a topic when a client asks for its metadata and allows it.',
  },
  'num.partitions': {
    type: 'int',
    min: 1,
    default: '1',
    documentation: 'Partitions of a topic that is created without a count.',
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    min: 0,
    default: '0',
    documentation: 'How long an empty group waits for more members before its first rebalance.',
  },
  'group.min.session.timeout.ms': {
    type: 'int',
    min: 1,
    default: '6000',
    documentation: 'The shortest session timeout that a member may ask for.',
  },
  'group.max.session.timeout.ms': {
    type: 'int',
    min: 1,
    default: '1800000',
    documentation: 'The longest session timeout that a member may ask for.',
  },
  'group.max.size': {
    type: 'int',
    min: 1,
    default: '10000',
    documentation: 'Members that a group may have.',
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    min: 1,
    default: '1',
    documentation: 'Partitions of __consumer_offsets when it is created.',
  },
  'offsets.retention.minutes': {
    type: 'int',
    min: 1,
    default: '10080',
    documentation: 'How long the offsets of a group without members are kept.',
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    min: 0,
    default: '4096',
    documentation: 'Size of the metadata that may stand beside a committed offset.',
  },
  'transaction.state.log.num.partitions': {
    type: 'int',
    min: 1,
    default: '1',
    documentation: 'Partitions of __transaction_state when it is created.',
  },
  'transaction.max.timeout.ms': {
    type: 'int',
    min: 1,
    default: '900000',
    documentation: 'The longest transaction timeout that a producer may ask for.',
  },
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': {
    type: 'int',
    min: 1,
    default: '1000',
    documentation: 'How often open transactions are looked at for their timeout.',
  },
  'transactional.id.expiration.ms': {
    type: 'int',
    min: 1,
    default: '604800000',
    documentation: 'How long an idle transactional id is remembered.',
  },
  'producer.id.expiration.ms': {
    type: 'int',
    min: 1,
    default: '86400000',
    documentation: 'How long a partition remembers a producer that has become silent.',
  },
  'transaction.completion.wait.ms': {
    type: 'int',
    min: 0,
    default: '100',
    documentation:
      'How long a request waits for the transaction before it to end, instead of being told CONCURRENT_TRANSACTIONS.',
  },
  'transaction.version': {
    type: 'int',
    min: 0,
    default: '2',
    documentation: 'The finalized feature of that name: 2, or 1 to serve transactions V1 only.',
  },
  'log.retention.check.interval.ms': {
    type: 'long',
    min: 1,
    default: '30000',
    documentation: 'How often retention, compaction and expiration run.',
  },
  'socket.request.max.bytes': {
    type: 'int',
    min: 1,
    default: '104857600',
    documentation: 'Size of the largest request that is read.',
  },
  'queued.max.request.bytes': {
    type: 'int',
    min: 1,
    default: '268435456',
    documentation:
      'Bytes of requests that may be received and not yet served, over all connections.',
  },
  'connections.max.idle.ms': {
    type: 'long',
    min: 1,
    default: '600000',
    documentation: 'A connection that is silent for longer is closed.',
  },
  'max.connections': {
    type: 'int',
    min: 1,
    default: '1024',
    documentation: 'Connections open at the same time.',
  },
} as const satisfies Record<string, Setting>;

export type BrokerSetting = keyof typeof SETTINGS;

export class BrokerConfig {
  readonly #given: ReadonlyMap<string, string>;

  /** Throws CONFIG_INVALID naming the setting; a name that is not known here is left to others. */
  constructor(given: Readonly<Record<string, string>> = {}) {
    this.#given = new Map(Object.entries(given));
    for (const name of Object.keys(SETTINGS)) this.#validate(name as BrokerSetting);
    const version = this.number('transaction.version');
    if (version > 2) throw invalid('transaction.version', String(version), 'at most 2');
  }

  number(name: BrokerSetting): number {
    return Number(this.text(name));
  }

  boolean(name: BrokerSetting): boolean {
    return this.text(name) === 'true';
  }

  text(name: BrokerSetting): string {
    return this.#given.get(name) ?? SETTINGS[name].default;
  }

  /** Everything, for DescribeConfigs. */
  entries(): { name: string; value: string; isDefault: boolean; setting: Setting }[] {
    return Object.entries<Setting>(SETTINGS).map(([name, setting]) => {
      const given = this.#given.get(name);
      return { name, value: given ?? setting.default, isDefault: given === undefined, setting };
    });
  }

  #validate(name: BrokerSetting): void {
    const setting: Setting = SETTINGS[name];
    const text = this.text(name);
    if (setting.type === 'boolean') {
      if (text !== 'true' && text !== 'false') throw invalid(name, text, 'true or false');
      return;
    }
    const isNumber = /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text));
    const min = setting.min ?? Number.MIN_SAFE_INTEGER;
    if (!isNumber || Number(text) < min) throw invalid(name, text, `an integer from ${min}`);
  }
}

function invalid(name: string, value: string, expected: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `${name} is ${value}, not ${expected}`, {
    hint: `Correct ${name} in the embedded broker's settings.`,
    facts: { name, value },
  });
}
