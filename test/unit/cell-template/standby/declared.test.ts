// STANDBY_OF as people write it, right and wrong.
import { expect, test } from 'vitest';
import { readStandbys } from '../../../../cell-template/standby/declared.ts';

test('each entry is a home and the address of its database', () => {
  const text = 'cell-a=postgres://u:p@h:1/d?sslmode=disable, cell-b=postgresql://h2/d';
  expect(readStandbys(text)).toEqual({
    standbys: [
      { home: 'cell-a', url: 'postgres://u:p@h:1/d?sslmode=disable' },
      { home: 'cell-b', url: 'postgresql://h2/d' },
    ],
    faults: [],
  });
});

test('nothing is no standby', () => {
  expect(readStandbys('')).toEqual({ standbys: [], faults: [] });
});

test('every fault is named, and no address with it', () => {
  const { faults } = readStandbys(
    'Cell=postgres://u:secret@h/d,cell-a=http://u:secret@h,cell-b,cell-c=postgres://h/d,cell-c=postgres://h/e',
  );
  expect(faults).toHaveLength(4);
  expect(faults.join('\n')).not.toContain('secret');
});
