/** The command line: parses, reads the configuration, calls. Exit codes: 0 ok, 1 failure, 2 usage. */
import { Command, CommanderError, Option } from 'commander';
import { isMillraceError } from '../base/errors.ts';
import { pinoLog } from '../base/pino-log.ts';
import { readConfig, redacted } from '../ticket-sales/app/config.ts';
import { packageVersion } from '../ticket-sales/app/package-version.ts';
import { describeSettings } from '../ticket-sales/app/settings.ts';
import type { AuditCommandOptions } from './audit.ts';
import { completionScript, isShell } from './completion.ts';
import { runStart } from './start.ts';
import { describeTopology, TOPOLOGY_FORMATS } from './topology.ts';

/** Services in a process of their own. */
const SERVICE_COMMANDS = [
  [
    'payments',
    'ask for payments and refunds, beside a sale on KAFKA_BROKERS',
    [
      '',
      'PAYMENTS=simulated (the default here) answers by dice, PAYMENT_SIM_* say which; PAYMENTS=http asks',
      'PAYMENT_PROVIDER_URL. docs/how-to/payment-provider.md tells how to add a provider.',
    ].join('\n'),
  ],
  [
    'notifications',
    'send mails and webhooks, beside a sale on KAFKA_BROKERS',
    [
      '',
      'NOTIFICATIONS=log (the default here), file, smtp (SMTP_URL) or webhooks (WEBHOOK_URLS).',
      'docs/how-to/notifications.md tells what is sent when, and how often.',
    ].join('\n'),
  ],
] as const;

const program = new Command('millrace')
  .description('Stream processing for Node.js, and the ticket sale that runs on it.')
  .version(packageVersion())
  .showHelpAfterError('(millrace --help tells more)')
  .showSuggestionAfterError()
  .exitOverride();

program
  .command('start')
  .description(
    'start the ticket sale: embedded broker, registry and API in one process, or on KAFKA_BROKERS',
  )
  .option('--no-demo', 'without the demo event')
  .action(async (options: { demo: boolean }) => {
    const { config, unknownNames } = readConfig(process.env);
    for (const name of unknownNames) console.error(`warning: ${name} is not a setting of Millrace`);
    await runStart(config, pinoLog(config.LOG_LEVEL), options.demo);
  });

for (const [name, about, help] of SERVICE_COMMANDS) {
  program
    .command(name)
    .description(about)
    .addHelpText('after', help)
    .action(async () => {
      const { config, unknownNames } = readConfig(process.env);
      for (const unknown of unknownNames)
        console.error(`warning: ${unknown} is not a setting of Millrace`);
      const { runService } = await import('./service.ts');
      await runService(name, config, pinoLog(config.LOG_LEVEL));
    });
}

program
  .command('config')
  .description('print the effective settings, secrets blotted out')
  .option('--explain', 'with what each means')
  .action((options: { explain?: boolean }) => {
    const values = redacted(readConfig(process.env).config);
    for (const { name, about } of describeSettings()) {
      console.log(`${name}=${values[name]}${options.explain === true ? `    # ${about}` : ''}`);
    }
  });

program
  .command('topology')
  .description('describe the topology of the sale')
  .addOption(new Option('--format <format>', 'how').choices(TOPOLOGY_FORMATS).default('text'))
  .action((options: { format: (typeof TOPOLOGY_FORMATS)[number] }) => {
    console.log(describeTopology(options.format));
  });

program
  .command('audit')
  .description('read the topics of a sale back and check that nothing is lost, doubled or oversold')
  .addOption(new Option('--brokers <list>', 'Kafka').env('KAFKA_BROKERS').default('127.0.0.1:9092'))
  .addOption(
    new Option('--registry <url>', 'schema registry')
      .env('SCHEMA_REGISTRY_URL')
      .default('http://127.0.0.1:8081'),
  )
  .addOption(
    new Option('--application-id <id>', 'of the sale')
      .env('STREAMS_APPLICATION_ID')
      .default('ticket-sales'),
  )
  .option('--journal <file>', 'what a load generator asked for, as NDJSON')
  .option('--live', 'the application may still run, as long as nothing moves')
  .option('--settled', 'it had time enough: lag and open transactions are violations')
  .option('--json', 'one JSON document')
  .addHelpText(
    'after',
    [
      '',
      'Reads topics only, joins no group, writes nothing. docs/audit.md tells what each rule means.',
      '',
      'Examples:',
      '  millrace audit --live                  the sale runs, but nothing moves (it may be the broker)',
      '  millrace audit                         the sale is stopped: the group must be empty',
      '  millrace audit --live --json           one JSON document: verdict, rules, figures',
      '  npm run rush -- --journal rush.ndjson && millrace audit --live --journal rush.ndjson',
      '',
      'A line of the journal: {"purchaseId","answer":"accepted"|"refused"|"unknown"}, and optionally',
      'eventId, zoneId, buyerId, quantity, idempotencyKey, as they were sent; or an answer that was',
      'read: {"reader","key","version"}.',
      '',
      'Exit codes: 0 right, 1 violated (with the first places), 2 the audit is not valid.',
    ].join('\n'),
  )
  .action(async (options: AuditCommandOptions) => {
    const { runAudit } = await import('./audit.ts');
    process.exitCode = await runAudit(options);
  });

program
  .command('completion')
  .description('print a completion script for bash, zsh or fish')
  .argument('<shell>')
  .action((shell: string) => {
    if (!isShell(shell))
      throw new CommanderError(2, 'millrace.shell', `${shell}: only bash, zsh and fish`);
    process.stdout.write(completionScript(program, shell));
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    if (error.code === 'millrace.shell') console.error(error.message);
  } else {
    process.exitCode = 1;
    if (isMillraceError(error)) {
      console.error(`${error.code}: ${error.message}`);
      if (error.hint !== undefined) console.error(`  ${error.hint}`);
    } else console.error(error);
  }
}
