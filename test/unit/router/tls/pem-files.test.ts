// PEM files that change under a running process: what fits is taken and told, what does not changes nothing.
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { faultLine } from '../../../../router/faults.ts';
import { PemError, PemFiles } from '../../../../router/tls/pem-files.ts';
import { pairFaults } from '../../../../router/tls/pem.ts';
import { makeAuthority, pemFolder, type Issued } from '../../../support/certificates.ts';
import { until } from '../../../support/wait.ts';

type Name = 'CERT' | 'KEY';
type Watched = { files: PemFiles<Name>; changes: number; lines: string[] };

function checkPair(content: Record<Name, Buffer>): void {
  const faults = pairFaults(content, 'CERT', 'KEY');
  if (faults.length > 0) throw new PemError(faults);
}

/** Watches a certificate and its key until the test ends. */
function watched(paths: Record<Name, string>): Watched {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const files = new PemFiles(paths, checkPair, log);
  const one = { files, changes: 0, lines };
  files.onChange(() => (one.changes += 1));
  files.watch();
  onTestFinished(() => files.unwatch());
  return one;
}

function linesOf(paths: Record<Name, string>): string[] {
  try {
    watched(paths);
    return [];
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return error.faults.map(faultLine);
  }
}

/** A folder with a pair in it, and others to replace it with. */
function setting(): { paths: Record<Name, string>; first: Issued; second: Issued; folder: string } {
  const folder = pemFolder();
  const authority = makeAuthority(folder);
  const [first, second] = [authority.issue('first'), authority.issue('second')];
  const paths = { CERT: join(folder, 'tls.crt'), KEY: join(folder, 'tls.key') };
  put(paths.CERT, first.certificate);
  put(paths.KEY, first.key);
  return { paths, first, second, folder };
}

function put(path: string, from: string): void {
  writeFileSync(`${path}.new`, readFileSync(from));
  renameSync(`${path}.new`, path);
}

test('files that are replaced one after the other are one change, told once they fit', async () => {
  const { paths, second } = setting();
  const one = watched(paths);
  put(paths.KEY, second.key);
  await until('they do not fit', () => one.files.refused);
  expect(one.changes).toBe(0);
  put(paths.CERT, second.certificate);
  await until('it is told', () => one.changes === 1);
  expect(one.files.content.CERT).toEqual(readFileSync(second.certificate));
  expect(one.files.content.KEY).toEqual(readFileSync(second.key));
  expect(one.files.refused).toBe(false);
});

test('a file that is written in place, half of it first, is never taken before it is whole', async () => {
  const { paths, first, second } = setting();
  const one = watched(paths);
  const whole = readFileSync(second.certificate);
  truncateSync(paths.CERT);
  await until('an empty one is refused', () => one.files.refused);
  writeFileSync(paths.CERT, whole.subarray(0, 200));
  put(paths.KEY, second.key);
  await until('half of one is refused', () => one.lines.some((line) => line.includes('is not whole')));
  expect(one.files.content.CERT).toEqual(readFileSync(first.certificate));
  writeFileSync(paths.CERT, whole);
  await until('it is whole', () => one.changes === 1);
  expect(one.files.content.CERT).toEqual(whole);
});

test('what is refused is told once, and nothing of it is', async () => {
  const { paths, second } = setting();
  const one = watched(paths);
  put(paths.CERT, second.certificate);
  await until('it is refused', () => one.files.refused);
  for (let again = 0; again < 3; again += 1) one.files.reload();
  expect(one.lines.filter((line) => line.includes('refused'))).toHaveLength(1);
  expect(one.lines.join('')).not.toMatch(/BEGIN|MII/);
});

test('a mounted folder whose files are links, exchanged as a whole, is followed', async () => {
  const { folder, first, second } = setting();
  const mount = join(folder, 'mount');
  const fill = (name: string, { certificate, key }: Issued): void => {
    mkdirSync(join(mount, name), { recursive: true });
    put(join(mount, name, 'tls.crt'), certificate);
    put(join(mount, name, 'tls.key'), key);
  };
  fill('..one', first);
  symlinkSync('..one', join(mount, '..data'));
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(`..data/${file}`, join(mount, file));
  const one = watched({ CERT: join(mount, 'tls.crt'), KEY: join(mount, 'tls.key') });
  fill('..two', second);
  symlinkSync('..two', join(mount, '..data.new'));
  renameSync(join(mount, '..data.new'), join(mount, '..data'));
  await until('it is told', () => one.changes === 1);
  expect(one.files.content.CERT).toEqual(readFileSync(second.certificate));
});

test('files that are gone leave what they held, and are taken when they are back', async () => {
  const { paths, second } = setting();
  const one = watched(paths);
  rmSync(paths.CERT);
  await until('it is missed', () => one.files.refused);
  put(paths.KEY, second.key);
  put(paths.CERT, second.certificate);
  await until('it is back', () => one.changes === 1);
});

test('the same content, written once more, is no change', async () => {
  const { paths, first, second } = setting();
  const one = watched(paths);
  put(paths.CERT, first.certificate);
  one.files.reload();
  put(paths.KEY, second.key);
  put(paths.CERT, second.certificate);
  await until('another one is', () => one.changes > 0);
  expect(one.changes).toBe(1);
});

test('after the end of the watch nothing is told', async () => {
  const { paths, second } = setting();
  const [ended, other] = [watched(paths), watched(paths)];
  ended.files.unwatch();
  put(paths.KEY, second.key);
  put(paths.CERT, second.certificate);
  await until('another watch tells it', () => other.changes === 1);
  expect(ended.changes).toBe(0);
});

test('at the start every file that can not be used is named', () => {
  const { paths, first, second } = setting();
  expect(linesOf(paths)).toEqual([]);
  expect(linesOf({ CERT: '/nowhere/a', KEY: '/nowhere/b' })).toEqual([
    'CERT: can not be read (ENOENT)',
    'KEY: can not be read (ENOENT)',
  ]);
  expect(linesOf({ CERT: first.key, KEY: first.certificate })).toEqual([
    'CERT: holds no certificate (allowed: PEM)',
    'KEY: holds no key that can be read (allowed: a PEM private key without a passphrase)',
  ]);
  expect(linesOf({ CERT: first.certificate, KEY: second.key })).toEqual([
    'KEY: does not belong to the certificate of CERT',
  ]);
});
