// `cellgate cut-over`: gives what the fleet file is to move its new home, range by range.
import { Command, InvalidArgumentError, Option } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, Failure } from '../failure.ts';
import { askAdmin, changeAdmin } from './admin.ts';
import { readPause, withEnd, type EndOptions } from './operation-options.ts';

type Print = (text: string) => void;
type Range = [number, number];
type CutOverOptions = EndOptions & {
  to: string;
  from?: string;
  buckets: Range[];
  tenants?: string[];
  step: number;
  pause: number;
};
/** The part of a router's answer that is told. */
type Answer = { moved: { from: string; count: number }[] };

const BUCKETS = 65_536;
/** A request takes no more tenants at once. */
const TENANTS_MOST = 100;
const JSON_SAYS = 'how much has moved, and what is left, as JSON: {to, moved, left}';

/** To be added to the program. Throws a `Failure`: 1 refused or undone, with what came before it done; 2 bad input. */
export function cutOverCommand(print: Print): Command {
  return withEnd(new Command('cut-over'), JSON_SAYS)
    .description('give buckets, or tenants, that the fleet file is to move their new home')
    .requiredOption('--to <cell>', 'the cell that they are to move to')
    .option('--from <cell>', 'only what is at home in this one')
    .addOption(
      new Option('--buckets <ranges>', 'only these, as in 0-4095,8192')
        .argParser(readRanges)
        .default([[0, BUCKETS - 1]], 'all'),
    )
    .addOption(
      new Option('--tenants <names>', 'tenants whose pins in the file are not settled, as in acme,globex')
        .argParser(readTenants)
        .conflicts(['buckets', 'step']),
    )
    .addOption(
      new Option('--step <n>', 'how many buckets wide a range is at most').argParser(readStep).default(4_096),
    )
    .addOption(new Option('--pause <time>', 'between two ranges').argParser(readPause).default(0, 'none'))
    .action(async (options: CutOverOptions) => await cutOver(options, print));
}

async function cutOver(options: CutOverOptions, print: Print): Promise<void> {
  const say: Print = options.json === true ? () => undefined : print;
  const { tenants } = options;
  const moved =
    tenants === undefined ? await moveBuckets(options, say) : await moveTenants(options, tenants, say);
  const left = await outstanding(options);
  const { to } = options;
  if (options.json === true) print(JSON.stringify({ to, moved, left: Object.fromEntries(left) }, null, 2));
  else if (tenants === undefined) print(leftText(to, left));
}

/** Answers how many have moved. */
async function moveBuckets(options: CutOverOptions, say: Print): Promise<number> {
  const homes = [...(await outstanding(options)).keys()];
  let total = 0;
  for (const [i, [first, last]] of steps(options.buckets, options.step).entries()) {
    if (homes.length === 0) break;
    if (i > 0) await pause(options.pause * 1_000);
    const parts: string[] = [];
    for (const from of homes) {
      const count = await ask(options, { from, buckets: [[first, last]] });
      if (count > 0) parts.push(`${count} from ${from}`);
      total += count;
    }
    say(`buckets ${first}-${last}: ${parts.length > 0 ? parts.join(', ') : 'none were left'}`);
  }
  return total;
}

async function moveTenants(options: CutOverOptions, tenants: readonly string[], say: Print): Promise<number> {
  const { from, to } = options;
  let total = 0;
  for (let at = 0; at < tenants.length; at += TENANTS_MOST) {
    const some = tenants.slice(at, at + TENANTS_MOST);
    const count = await ask(options, { ...(from === undefined ? {} : { from }), tenants: some });
    say(`${some.join(', ')}: at home in ${to} (${count} moved)`);
    total += count;
  }
  return total;
}

async function ask(
  { to, reason, owner, override }: CutOverOptions,
  what: Readonly<Record<string, unknown>>,
): Promise<number> {
  const answer = await changeAdmin('POST', '/v1/buckets/cut-over', { to, reason, owner, override, ...what });
  return (answer as Answer).moved.reduce((sum, { count }) => sum + count, 0);
}

/** Home → how many of its buckets are still to move to `to`. Throws a `Failure` (2) for a cell that is none. */
async function outstanding({ to, from }: CutOverOptions): Promise<Map<string, number>> {
  const { cells } = (await askAdmin('/v1/cells')) as {
    cells: { id: string; moving?: Record<string, number> }[];
  };
  const stranger = [to, from].find((cell) => cell !== undefined && !cells.some(({ id }) => id === cell));
  if (stranger !== undefined) throw new Failure(EXIT.badInput, `${stranger} is no cell of the fleet`);
  const rows = cells.map(({ id, moving }): [string, number] => [id, moving?.[to] ?? 0]);
  return new Map(rows.filter(([id, count]) => count > 0 && (from === undefined || id === from)));
}

function leftText(to: string, left: ReadonlyMap<string, number>): string {
  const parts = [...left].map(([home, count]) => `${count} from ${home}`);
  return `still to move to ${to}: ${parts.length > 0 ? parts.join(', ') : 'none'}`;
}

/** The ranges, none wider than `step`. */
function steps(ranges: readonly Range[], step: number): Range[] {
  return ranges.flatMap(([first, last]) =>
    Array.from({ length: Math.ceil((last - first + 1) / step) }, (_, i): Range => [
      first + i * step,
      Math.min(last, first + (i + 1) * step - 1),
    ]),
  );
}

/** `0-4095,8192` → [[0, 4095], [8192, 8192]]. */
function readRanges(text: string): Range[] {
  return text.split(',').map((part) => {
    const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? [];
    const range: Range = [Number(first), Number(last)];
    if (first !== '' && range[0] <= range[1] && range[1] < BUCKETS) return range;
    throw new InvalidArgumentError(`Allowed: ranges as in 0-4095,8192, up to ${BUCKETS - 1}.`);
  });
}

function readTenants(text: string): string[] {
  const tenants = text.split(',').map((tenant) => tenant.trim());
  if (tenants.every((tenant) => tenant !== '')) return tenants;
  throw new InvalidArgumentError('Allowed: names as in acme,globex.');
}

function readStep(text: string): number {
  const step = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (step >= 1 && step <= BUCKETS) return step;
  throw new InvalidArgumentError(`Allowed: 1–${BUCKETS}.`);
}
