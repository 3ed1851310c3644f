import { describe, expect, test } from 'vitest';
import { identityOf, RegistryState } from '../../schemas/registry/registry-state.ts';

const A = '{"type":"record","name":"A","fields":[]}';
const B = '{"type":"record","name":"B","fields":[]}';

function schemaRecord(subject: string, version: number, id: number, schema: string, more = {}) {
  return [
    JSON.stringify({ keytype: 'SCHEMA', subject, version, magic: 1 }),
    JSON.stringify({ subject, version, id, schema, deleted: false, ...more }),
  ] as const;
}

function stateOf(...records: readonly (readonly [string, string | null])[]): RegistryState {
  const state = new RegistryState();
  for (const [key, value] of records) state.apply(key, value);
  return state;
}

describe("a registry's state, folded from its log", () => {
  test('has the versions of each subject in order, with their ids', () => {
    const state = stateOf(
      schemaRecord('s', 1, 1, A),
      schemaRecord('s', 2, 2, B),
      schemaRecord('t', 1, 1, A),
    );
    expect(state.subjects()).toEqual(['s', 't']);
    expect(state.versions('s').map(({ version, id }) => [version, id])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(state.usesOf(1).map(({ subject }) => subject)).toEqual(['s', 't']);
    expect([state.nextId(), state.nextVersion('s'), state.nextVersion('new')]).toEqual([3, 3, 1]);
  });

  test('keeps the first of two records that claim a version or an id for different schemas', () => {
    const state = stateOf(
      schemaRecord('s', 1, 1, A),
      schemaRecord('s', 1, 2, B),
      schemaRecord('t', 1, 1, B),
    );
    expect(state.version('s', 1)?.schema).toBe(A);
    expect(state.schemaById(1)).toBe(A);
    expect(state.version('t', 1)).toBeUndefined();
    expect(state.shadowed().map(({ subject, version }) => [subject, version])).toEqual([
      ['s', 1],
      ['t', 1],
    ]);
  });

  test('no longer lists a key as shadowed when a record that stands follows', () => {
    const state = stateOf(
      schemaRecord('s', 1, 1, A),
      schemaRecord('s', 1, 2, B),
      schemaRecord('s', 1, 1, A),
    );
    expect(state.shadowed()).toEqual([]);
  });

  test('hides what was deleted softly, and forgets what was deleted for good', () => {
    const [key] = schemaRecord('s', 1, 1, A);
    const softly = stateOf(
      schemaRecord('s', 1, 1, A),
      schemaRecord('s', 1, 1, A, { deleted: true }),
    );
    expect([softly.subjects(), softly.subjects(true)]).toEqual([[], ['s']]);
    expect(softly.version('s', 1)).toBeUndefined();
    expect(softly.version('s', 1, true)?.id).toBe(1);
    const forGood = stateOf(schemaRecord('s', 1, 1, A), [key, null]);
    expect(forGood.subjects(true)).toEqual([]);
    expect(forGood.schemaById(1)).toBe(A);
    expect(forGood.nextId()).toBe(2);
  });

  test('deletes a subject up to the version that was told, not what came later', () => {
    const state = stateOf(
      schemaRecord('s', 1, 1, A),
      [
        JSON.stringify({ keytype: 'DELETE_SUBJECT', subject: 's', magic: 0 }),
        JSON.stringify({ subject: 's', version: 1 }),
      ],
      schemaRecord('s', 2, 2, B),
    );
    expect(state.versions('s').map(({ version }) => version)).toEqual([2]);
  });

  test('takes levels and modes for one subject and for all', () => {
    const config = (subject: string | null, value: object | null) =>
      [
        JSON.stringify({ keytype: 'CONFIG', subject, magic: 0 }),
        value === null ? null : JSON.stringify(value),
      ] as const;
    const state = stateOf(
      config(null, { compatibilityLevel: 'FULL' }),
      config('s', { compatibilityLevel: 'NONE' }),
    );
    expect([state.effectiveCompatibility('s'), state.effectiveCompatibility('t')]).toEqual([
      'NONE',
      'FULL',
    ]);
    state.apply(...config('s', null));
    expect(state.effectiveCompatibility('s')).toBe('FULL');
  });

  test('passes over records that it does not understand, and leaves their ids alone', () => {
    const state = stateOf(
      ['not json', '{}'],
      ['{"keytype":"NOOP","magic":0}', null],
      ['{"keytype":"SOMETHING_NEW"}', '{"a":1}'],
      schemaRecord('s', 1, 7, 'syntax = "proto3";', { schemaType: 'PROTOBUF' }),
      schemaRecord('t', 1, 8, 'not json either'),
    );
    expect(state.subjects(true)).toEqual([]);
    expect(state.nextId()).toBe(9);
  });

  test.each([
    ['layout', ' {"fields":[ ],"name" : "A","type":"record"}'],
    ['the order of attributes', '{"name":"A","fields":[],"type":"record"}'],
  ])('%s makes no other schema', (_, text) => {
    expect(identityOf(text)).toBe(identityOf(A));
    expect(stateOf(schemaRecord('s', 1, 1, A)).findBySchema('s', text)?.version).toBe(1);
  });

  test('a type written at length is the same type; documentation and defaults make another', () => {
    expect(identityOf('{"type":"string"}')).toBe(identityOf('"string"'));
    expect(identityOf('{"type":"record","name":"A","doc":"d","fields":[]}')).not.toBe(
      identityOf(A),
    );
    expect(identityOf('["null","int"]')).not.toBe(identityOf('["int","null"]'));
  });
});
