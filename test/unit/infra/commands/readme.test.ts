// The commands of the README, against the options that they know.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cutOverCommand } from '../../../../infra/commands/cut-over.ts';
import { operationCommands } from '../../../../infra/commands/operations.ts';
import { quarantineCommands } from '../../../../infra/commands/quarantine.ts';

const README = readFileSync('README.md', 'utf8');
const print = (): void => undefined;
const COMMANDS = [...operationCommands(print), cutOverCommand(print), ...quarantineCommands(print)];

/** The commands of the table in `Operating it`: name → the options that are given, what `…` stands for included. */
function commandsOfTable(): Map<string, string[]> {
  const [, section = ''] = README.split('### Operating it');
  const [, always = ''] = /^`…` is `([^`]+)`/m.exec(section) ?? [];
  const cells = section.split('\n').flatMap((row) => /^\| (`.*?`) \|/.exec(row)?.[1] ?? []);
  const texts = cells.flatMap((cell) =>
    [...cell.matchAll(/`(?:cellgate )?([^`]+)`/g)].map(([, text = '']) => text),
  );
  return new Map(
    texts.map((text) => [text.split(' ')[0] ?? '', text.replace('…', always).match(/--[a-z-]+/g) ?? []]),
  );
}

test('every command that changes something is in its table', () => {
  expect([...commandsOfTable().keys()]).toEqual(
    expect.arrayContaining(COMMANDS.map((command) => command.name())),
  );
});

test.each(COMMANDS.map((command) => [command.name(), command] as const))(
  '%s takes the options that it is shown with, and needs no other',
  (name, command) => {
    const shown = commandsOfTable().get(name) ?? [];
    expect(command.options.map(({ long }) => long)).toEqual(expect.arrayContaining(shown));
    const needed = command.options.filter(({ mandatory }) => mandatory).map(({ long }) => long);
    expect(shown).toEqual(expect.arrayContaining(needed));
  },
);

test('the JSON of a cut-over is told as what it is', () => {
  const json = cutOverCommand(print).options.find(({ long }) => long === '--json');
  expect(json?.description).toBe('how much has moved, and what is left, as JSON: {to, moved, left}');
});
