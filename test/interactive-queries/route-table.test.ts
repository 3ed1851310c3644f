/** Which route a path is for: literals before parameters, decoding, methods of a path. */
import { describe, expect, test } from 'vitest';
import { RouteTable } from '../../interactive-queries/http/route-table.ts';

const table = new RouteTable([
  { method: 'GET', path: '/' },
  { method: 'GET', path: '/things' },
  { method: 'POST', path: '/things' },
  { method: 'GET', path: '/things/{id}' },
  { method: 'DELETE', path: '/things/{id}' },
  { method: 'PUT', path: '/things/new' },
  { method: 'GET', path: '/things/new/parts' },
  { method: 'GET', path: '/things/{thing}/parts/{part}' },
]);

const found = (method: string, path: string) => {
  const match = table.match(method, path);
  return match && [match.entry.path, { ...match.params }];
};

test.each([
  ['GET', '/', '/', {}],
  ['GET', '/things', '/things', {}],
  ['GET', '/things/a', '/things/{id}', { id: 'a' }],
  ['HEAD', '/things/a', '/things/{id}', { id: 'a' }],
  ['GET', '/things/a/parts/b', '/things/{thing}/parts/{part}', { thing: 'a', part: 'b' }],
  ['PUT', '/things/new', '/things/new', {}],
  ['GET', '/things/new/parts', '/things/new/parts', {}],
])('%s %s is for %s', (method, path, route, params) => {
  expect(found(method, path)).toEqual([route, params]);
});

test('where the literal way ends, the one by parameters is gone', () => {
  expect(found('GET', '/things/new')).toEqual(['/things/{id}', { id: 'new' }]);
  const match = ['/things/{thing}/parts/{part}', { thing: 'new', part: 'b' }];
  expect(found('GET', '/things/new/parts/b')).toEqual(match);
});

test('parameters are decoded once, a slash in them, too; what cannot be is as it came', () => {
  expect(found('GET', '/things/a%2Fb')).toEqual(['/things/{id}', { id: 'a/b' }]);
  expect(found('GET', '/things/%2541')).toEqual(['/things/{id}', { id: '%41' }]);
  expect(found('GET', '/things/%zz')).toEqual(['/things/{id}', { id: '%zz' }]);
});

test.each(['', '/things/', '/Things', '/thing', '/things//parts/b', '/things/a/parts', '//things'])(
  '%j is for none',
  (path) => {
    expect(found('GET', path)).toBeUndefined();
    expect(table.methodsOf(path)).toEqual([]);
  },
);

describe('the methods of a path', () => {
  test('are those of every route that it fits, and HEAD where GET is', () => {
    expect(table.methodsOf('/things')).toEqual(['GET', 'HEAD', 'POST']);
    expect(table.methodsOf('/things/a')).toEqual(['DELETE', 'GET', 'HEAD']);
    expect(table.methodsOf('/things/new')).toEqual(['DELETE', 'GET', 'HEAD', 'PUT']);
  });

  test('are no others: a method is compared as it was sent', () => {
    expect(found('PATCH', '/things')).toBeUndefined();
    expect(found('get', '/things')).toBeUndefined();
  });
});
