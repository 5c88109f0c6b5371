// The flags of `npm start`.
import { expect, test } from 'vitest';
import { Failure } from '../../../../infra/failure.ts';
import { readOptions } from '../../../../infra/local/options.ts';

function faultsOf(...argv: string[]): string[] {
  try {
    readOptions(argv);
  } catch (error) {
    if (error instanceof Failure && error.exitCode === 2) return error.message.split('\n');
    throw error;
  }
  return [];
}

test('without flags it is three cells and one router on the documented ports', () => {
  expect(readOptions([])).toEqual({
    cells: 3,
    routers: 1,
    port: 8080,
    adminPort: 9090,
    cellPort: 4101,
    respawn: false,
  });
});

test('every flag is taken', () => {
  const argv = '--cells 26 --routers 2 --port 18080 --admin-port 19090 --cell-port 14101 --respawn'.split(
    ' ',
  );
  expect(readOptions(argv)).toEqual({
    cells: 26,
    routers: 2,
    port: 18_080,
    adminPort: 19_090,
    cellPort: 14_101,
    respawn: true,
  });
});

test.each(['0', '27', '-1', '2.5', 'three', '', '1e1', '0x3'])('--cells %o is refused by name', (value) => {
  expect(faultsOf(`--cells=${value}`)).toEqual([`--cells ${value}: not a whole number from 1 to 26`]);
});

test('all bad values are named at once, one line each', () => {
  expect(faultsOf('--cells', '27', '--routers', '0', '--port', '65536')).toEqual([
    '--cells 27: not a whole number from 1 to 26',
    '--routers 0: not a whole number from 1 to 16',
    '--port 65536: not a whole number from 1 to 65535',
  ]);
});

test('an unknown flag is one line', () => {
  expect(faultsOf('--shards', '3')).toEqual(["unknown option '--shards'"]);
});

test('an argument that is no flag is one line', () => {
  expect(faultsOf('three')).toHaveLength(1);
});

test('routers that would share a port between public and admin are refused', () => {
  expect(faultsOf('--routers', '3', '--port', '8080', '--admin-port', '8082')).toEqual([
    '--port 8080 and --admin-port 8082 overlap: 3 of each are needed',
  ]);
});

test('routers that would pass the last port are refused', () => {
  expect(faultsOf('--routers', '2', '--port', '65535')).toEqual([
    '--port 65535: 2 routers would pass port 65535',
  ]);
});
