/** docs/configuration.md and .env.example as text, made from the table of settings. Pure. */
import { describeSettings, type SettingDescription } from '../ticket-sales/app/settings.ts';

/** In this order; a prefix takes what none before it took. */
const GROUPS: readonly (readonly [title: string, prefixes: readonly string[], about: string])[] = [
  ['Kafka', ['KAFKA_'], 'An outside Kafka. Without `KAFKA_BROKERS` the embedded broker is used.'],
  [
    'Schema registry',
    ['SCHEMA_REGISTRY_'],
    'An outside registry, with or without an outside Kafka.',
  ],
  [
    'Embedded broker and registry',
    ['EMBEDDED_'],
    'What runs in the same process when nothing else is named.',
  ],
  [
    'Streams',
    ['STREAMS_'],
    'The engine. Names are those of Kafka Streams where it has the setting.',
  ],
  ['The sale', ['TICKETS_'], ''],
  ['HTTP', ['HTTP_', 'SSE_', 'AUTH', 'QUERY_', 'PRODUCE_', 'MILLRACE_TOKEN'], ''],
  ['Several instances', ['PEER_'], 'Instances forward queries to each other over HTTP.'],
  ['Process', [''], ''],
];

interface Group {
  readonly title: string;
  readonly about: string;
  readonly settings: readonly SettingDescription[];
}

function grouped(): readonly Group[] {
  const left = new Set(describeSettings());
  return GROUPS.map(([title, prefixes, about]) => {
    const settings = [...left].filter(({ name }) =>
      prefixes.some((prefix) => name.startsWith(prefix)),
    );
    for (const setting of settings) left.delete(setting);
    return { title, about, settings };
  });
}

export function configurationPage(): string {
  const sections = grouped().flatMap(({ title, about, settings }) => [
    `## ${title}`,
    '',
    ...(about === '' ? [] : [about, '']),
    '| setting | default | allowed | meaning |',
    '|---|---|---|---|',
    ...settings.map(row),
    '',
  ]);
  return [
    '# Configuration',
    '',
    '<!-- Made by `npm run docs` from ticket-sales/app/settings.ts: change it there. -->',
    '',
    'Everything is set by environment variables, read once at the start. A value may come from a file: `NAME_FILE` names it.',
    'A wrong value is an error that names every wrong setting, and nothing is started; a name that only looks like one of these is a warning.',
    '`millrace config` prints what is in effect.',
    '',
    ...sections,
  ].join('\n');
}

function row({ name, about, allowed, defaultText, isSecret }: SettingDescription): string {
  const cells = [
    `\`${name}\``,
    defaultText === '' ? '' : `\`${defaultText}\``,
    allowed,
    `${about}${isSecret ? ' Secret: never printed.' : ''}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

export function envExample(): string {
  const sections = grouped().flatMap(({ title, settings }) => [
    `# ── ${title} ──`,
    '',
    ...settings.flatMap(({ name, about, allowed, defaultText }) => [
      `# ${about}${allowed === '' ? '' : ` (${allowed})`}`,
      `#${name}=${defaultText}`,
      '',
    ]),
  ]);
  return [
    '# Made by `npm run docs` from ticket-sales/app/settings.ts. Defaults; take out the # to change one.',
    '',
    ...sections,
  ].join('\n');
}
