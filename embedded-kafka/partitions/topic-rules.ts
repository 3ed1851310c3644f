/** What Kafka lets a topic be called and how large it may be. Pure. */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber } from '../ports.ts';
import { isListConfig, listOf, refuseConfig, TOPIC_CONFIGS } from './topic-config.ts';

const NAME_LENGTH_MAX = 249;
/** Every partition holds a file open. */
const PARTITIONS_MAX = 1000;

export interface Refusal {
  readonly error: ErrorCodeNumber;
  readonly errorMessage: string;
}

export function refuseTopicName(name: string, existing: Iterable<string>): Refusal | undefined {
  const invalid = (errorMessage: string) => ({
    error: Errors.INVALID_TOPIC_EXCEPTION,
    errorMessage,
  });
  if (name === '') return invalid('Topic name is invalid: the empty string is not allowed');
  if (name === '.' || name === '..')
    return invalid(`Topic name is invalid: '${name}' is not allowed`);
  if (name.length > NAME_LENGTH_MAX) {
    return invalid(`Topic name is invalid: longer than ${NAME_LENGTH_MAX} characters`);
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return invalid(
      `Topic name is invalid: '${name}' has other characters than ASCII letters, digits, '.', '_' and '-'`,
    );
  }
  for (const other of existing) {
    if (other === name) {
      return {
        error: Errors.TOPIC_ALREADY_EXISTS,
        errorMessage: `Topic '${name}' already exists.`,
      };
    }
    // Metric names turn '.' into '_': Kafka keeps such names apart.
    if (other.replaceAll('.', '_') === name.replaceAll('.', '_')) {
      return invalid(`Topic '${name}' collides with existing topic: ${other}`);
    }
  }
  return undefined;
}

export function refusePartitionCount(count: number): Refusal | undefined {
  if (Number.isInteger(count) && count >= 1 && count <= PARTITIONS_MAX) return undefined;
  return {
    error: Errors.INVALID_PARTITIONS,
    errorMessage: `Number of partitions must be from 1 to ${PARTITIONS_MAX}, not ${count}.`,
  };
}

export interface ConfigChange {
  readonly name: string;
  readonly operation: 'set' | 'delete' | 'append' | 'subtract';
  readonly value: string | null;
}

export type ChangedConfigs =
  | { readonly kind: 'changed'; readonly configs: ReadonlyMap<string, string> }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** The overrides after these changes. */
export function changeConfigs(
  overrides: ReadonlyMap<string, string>,
  changes: readonly ConfigChange[],
): ChangedConfigs {
  const configs = new Map(overrides);
  const refused = (error: ErrorCodeNumber, errorMessage: string): ChangedConfigs => ({
    kind: 'refused',
    refusal: { error, errorMessage },
  });
  for (const { name, operation, value } of changes) {
    if (operation === 'delete') {
      configs.delete(name);
      continue;
    }
    if (value === null) return refused(Errors.INVALID_REQUEST, `no value for config ${name}`);
    if (operation === 'set') {
      configs.set(name, value);
      continue;
    }
    if (!isListConfig(name)) {
      return refused(Errors.INVALID_CONFIG, `Can't ${operation} to key ${name}: it is not a list.`);
    }
    const current = listOf(configs.get(name) ?? TOPIC_CONFIGS.get(name)!.defaultValue);
    const items = listOf(value);
    const kept = current.filter((item) => !items.includes(item));
    configs.set(name, (operation === 'append' ? [...kept, ...items] : kept).join(','));
  }
  const invalid = refuseConfig(configs);
  return invalid === undefined
    ? { kind: 'changed', configs }
    : refused(Errors.INVALID_CONFIG, invalid);
}
