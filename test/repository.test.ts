/** Reads the repository and enforces what people forget: who may import whom, one file per library, documented error codes. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../base/errors.ts';
import { PROBLEMS } from '../interactive-queries/http/problem.ts';

const root = resolve(import.meta.dirname, '..');
const ROOMS = [
  'base',
  'kafka',
  'embedded-kafka',
  'schemas',
  'stores',
  'topology',
  'runtime',
  'interactive-queries',
  'simulation',
  'ticket-sales',
  'audit',
  'cli',
] as const;

/** Room -> what it may import, as path prefixes; its own files always. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  kafka: ['base/'],
  schemas: ['base/'],
  stores: ['base/', 'schemas/serde.ts'],
  topology: ['base/', 'schemas/serde', 'stores/state-store.ts'],
  'embedded-kafka': [
    'base/',
    'kafka/protocol/',
    'kafka/records/',
    // Vocabulary only: TopicPartition, BrokerAddress, and the KafkaConnection that it hands out.
    'kafka/ports.ts',
    'kafka/wire.ts',
    'kafka/connection.ts',
  ],
  runtime: [
    'base/',
    'kafka/ports.ts',
    'kafka/connection.ts',
    'kafka/kafka-client.ts',
    'kafka/client-deps.ts',
    'kafka/records/',
    'kafka/murmur2.ts',
    'schemas/',
    'stores/',
    'topology/',
    'interactive-queries/queryable-streams.ts',
  ],
  'interactive-queries': ['base/', 'schemas/', 'stores/state-store.ts', 'topology/'],
  'ticket-sales': [
    'base/',
    'kafka/',
    'embedded-kafka/',
    'schemas/',
    'stores/',
    'topology/',
    'runtime/',
    'interactive-queries/',
  ],
  // Everything but the app: it is what the app is tried in.
  simulation: [
    'base/',
    'kafka/',
    'embedded-kafka/',
    'schemas/',
    'stores/',
    'topology/',
    'runtime/',
  ],
  // Independent: it must not agree with the app by sharing its code.
  audit: ['base/', 'kafka/', 'schemas/'],
  cli: [
    'audit/',
    'base/',
    'kafka/',
    'embedded-kafka/',
    'schemas/',
    'stores/',
    'topology/',
    'runtime/',
    'interactive-queries/',
    'ticket-sales/',
    'bench/',
  ],
};

/** Library -> the only files that may name it. */
const ONE_FILE: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['kafka/kafkajs-transport.ts'],
  level: ['stores/leveldb-store.ts'],
  'classic-level': ['stores/leveldb-store.ts'],
  avsc: ['schemas/avro-types.ts'],
  '@kafkajs/confluent-schema-registry': ['schemas/confluent-registry-client.ts'],
  jose: ['interactive-queries/auth/jwt-authenticator.ts'],
  koa: ['interactive-queries/http/http-app.ts'],
  ajv: ['interactive-queries/http/validation.ts'],
  'prom-client': ['interactive-queries/metrics.ts'],
  pino: ['base/pino-log.ts'],
  nodemailer: ['ticket-sales/notifications/smtp-transport.ts'],
  zod: ['ticket-sales/app/settings.ts'],
};

interface Import {
  readonly file: string;
  readonly target: string;
}

function sourceFiles(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, specifier]) => ({
    file,
    target: specifier!.startsWith('.')
      ? relative(root, resolve(root, dirname(file), specifier!))
      : specifier!,
  }));
}

const files = ROOMS.flatMap((room) => sourceFiles(room));
const imports = files.flatMap(importsOf);

describe('the repository', () => {
  test('is really read: every room has files and imports', () => {
    for (const room of ROOMS)
      expect(files.filter((file) => file.startsWith(`${room}/`)).length).toBeGreaterThan(0);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('a room imports only what its row of the table allows', () => {
    const strangers = imports.filter(({ file, target }) => {
      const room = file.split('/')[0]!;
      const ours =
        ROOMS.some((candidate) => target.startsWith(`${candidate}/`)) ||
        /^(test|bench|scripts)\//.test(target);
      if (!ours || target.startsWith(`${room}/`)) return false;
      return !MAY_IMPORT[room]!.some((allowed) => target.startsWith(allowed));
    });
    expect(strangers).toEqual([]);
  });

  test('a library is named in one file', () => {
    const strangers = imports.filter(({ file, target }) => {
      const library = Object.keys(ONE_FILE).find(
        (name) => target === name || target.startsWith(`${name}/`),
      );
      return library !== undefined && !ONE_FILE[library]!.includes(file);
    });
    expect(strangers).toEqual([]);
  });

  test('every error code and every problem type is explained in docs/errors.md', () => {
    const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    const unexplained = [...ERROR_CODES, ...Object.keys(PROBLEMS)].filter(
      (code) => !text.includes(`\`${code}\``),
    );
    expect(unexplained).toEqual([]);
  });

  test('links between documents lead somewhere', () => {
    const documents = [
      'README.md',
      'ARCHITECTURE.md',
      'CONTRIBUTING.md',
      ...readdirSync(join(root, 'docs'), { recursive: true })
        .map(String)
        .filter((name) => name.endsWith('.md'))
        .map((name) => `docs/${name}`),
    ];
    const dead = documents.flatMap((document) => {
      const text = readFileSync(join(root, document), 'utf8');
      return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)]
        .map(([, link]) => resolve(root, dirname(document), link!))
        .filter((path) => !exists(path))
        .map((path) => `${document} -> ${relative(root, path)}`);
    });
    expect(dead).toEqual([]);
  });
});

function exists(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
  }
}
