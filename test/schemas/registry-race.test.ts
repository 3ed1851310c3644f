/** Several registries on one log: whatever the order in which their records enter it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SchemaRegistryService } from '../../schemas/registry/schema-registry-service.ts';
import { SharedSchemaLog } from './shared-schema-log.ts';

const SCHEMAS = ['A', 'B', 'C', 'D'].map((name) => ({ type: 'record', name, fields: [] }));

interface Registration {
  readonly subject: string;
  readonly schema: number;
}

const registrations = fc.array(
  fc.record({ subject: fc.constantFrom('s', 't'), schema: fc.nat(SCHEMAS.length - 1) }),
  { minLength: 1, maxLength: 4 },
);

/** Everything a client can see. */
function viewOf({ state }: SchemaRegistryService): unknown {
  return state
    .subjects(true)
    .map((subject) => state.versions(subject, true).map((version) => ({ ...version })));
}

async function freshRegistry(log: SharedSchemaLog): Promise<SchemaRegistryService> {
  const service = new SchemaRegistryService(log.open());
  await service.start();
  return service;
}

/** No level: so that every schema may follow every other. */
async function openRegistry(log: SharedSchemaLog): Promise<void> {
  const service = await freshRegistry(log);
  await service.setCompatibility('', 'NONE');
}

describe('registries that race on one log', () => {
  test('agree on every version and id, and keep what they answered, through compaction', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(registrations, { minLength: 2, maxLength: 3 }),
        async (scheduler, byRegistry) => {
          const log = new SharedSchemaLog();
          await openRegistry(log);
          const sides = byRegistry.map(() =>
            log.open({ beforeAppend: () => scheduler.schedule(Promise.resolve(), 'append') }),
          );
          const services = sides.map((side) => new SchemaRegistryService(side));
          for (const service of services) await service.start();
          const answers: (Registration & { readonly id: number })[] = [];
          const work = byRegistry.map((wanted, index) =>
            registerAll(services[index]!, wanted, answers),
          );
          await scheduler.waitFor(Promise.all(work));

          for (const side of sides) side.readAll();
          const [first, ...others] = services.map(viewOf);
          for (const other of others) expect(other).toEqual(first);
          for (const { subject, schema, id } of answers) {
            expect(await services[0]!.schemaById(id)).toEqual(SCHEMAS[schema]);
            expect(services[0]!.state.usesOf(id).map((use) => use.subject)).toContain(subject);
          }
          log.compact();
          expect(viewOf(await freshRegistry(log))).toEqual(first);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a registry that dies in a race leaves nothing that compaction could bring up', async () => {
    let mended = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        registrations,
        registrations,
        fc.integer({ min: 1, max: 6 }),
        async (scheduler, survivors, victims, appendsUntilDeath) => {
          const log = new SharedSchemaLog();
          await openRegistry(log);
          let appendsLeft = appendsUntilDeath;
          const beforeAppend = () => scheduler.schedule(Promise.resolve(), 'append');
          // Its last record enters the log, and it never learns what became of it.
          const afterAppend = () => (--appendsLeft > 0 ? Promise.resolve() : forever());
          const alive = new SchemaRegistryService(log.open({ beforeAppend }));
          const dying = new SchemaRegistryService(log.open({ beforeAppend, afterAppend }));
          await alive.start();
          await dying.start();
          void registerAll(dying, victims, []);
          const answers: (Registration & { readonly id: number })[] = [];
          await scheduler.waitFor(registerAll(alive, survivors, answers));
          await scheduler.waitIdle();

          const next = new SchemaRegistryService(log.open());
          const before = log.records.length;
          await next.start();
          mended += log.records.length - before;
          const view = viewOf(next);
          for (const { schema, id } of answers) {
            expect(await next.schemaById(id)).toEqual(SCHEMAS[schema]);
          }
          log.compact();
          expect(viewOf(await freshRegistry(log))).toEqual(view);
        },
      ),
      { numRuns: 500 },
    );
    expect(mended).toBeGreaterThan(0);
  });
});

async function registerAll(
  service: SchemaRegistryService,
  wanted: readonly Registration[],
  answers: (Registration & { readonly id: number })[],
): Promise<void> {
  for (const { subject, schema } of wanted) {
    const id = await service.register(subject, SCHEMAS[schema]!);
    answers.push({ subject, schema, id });
  }
}

function forever(): Promise<void> {
  return new Promise(() => {});
}
