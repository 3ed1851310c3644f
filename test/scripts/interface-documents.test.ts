/** The documents of the interfaces: as the code has them now, and whole in themselves. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { asyncApiDocument } from '../../scripts/async-api.ts';
import { jsonText } from '../../scripts/json-text.ts';
import { openApiPage } from '../../scripts/open-api.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';

const fileText = (name: string) =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

type Json = Record<string, unknown>;

/** Every `$ref` of a document, and what it names. */
function references(whole: object): readonly (readonly [ref: string, target: unknown])[] {
  const found: (readonly [string, unknown])[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { $ref } = value as { $ref?: unknown };
    if (typeof $ref === 'string') {
      const path = $ref.slice(2).split('/');
      found.push([
        $ref,
        path.reduce<unknown>((at, name) => (at as Json | undefined)?.[name], whole),
      ]);
    }
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(whole);
  return found;
}

describe('docs/openapi.json', () => {
  test('is up to date (else: npm run docs)', () => {
    expect(fileText('openapi.json') === jsonText(openApiPage())).toBe(true);
  });
});

describe('docs/asyncapi.json', () => {
  const document = asyncApiDocument() as {
    asyncapi: string;
    channels: Record<
      string,
      { address: string; bindings: { kafka: { topicConfiguration: Json } } }
    >;
    operations: Record<string, { action: string }>;
  };

  test('is up to date (else: npm run docs)', () => {
    expect(fileText('asyncapi.json') === jsonText(document)).toBe(true);
  });

  test('has every topic that the sale creates, as it creates it, and who writes it', () => {
    expect(document.asyncapi).toBe('3.0.0');
    const topics = ticketTopics(8, -1).filter(({ name }) => !name.endsWith('.dlq'));
    expect(topics.length).toBeGreaterThan(5);
    for (const { name, configs } of topics) {
      const { address, bindings } = document.channels[name]!;
      const told = bindings.kafka.topicConfiguration;
      expect({ address, ...told }).toEqual({
        address: name,
        ...configs,
        'cleanup.policy': [configs['cleanup.policy']],
      });
      const operations = Object.keys(document.operations);
      expect(operations.some((each) => each.endsWith(`-${name}`))).toBe(true);
    }
  });

  test('names nothing that is not in it', () => {
    const all = references(document);
    expect(all.length).toBeGreaterThan(20);
    for (const [ref, target] of all) expect(target, ref).toBeDefined();
  });
});
