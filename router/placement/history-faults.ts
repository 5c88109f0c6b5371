// What is wrong with a fleet's history, pins and neighbours: every fault at once, each with its place.
import { neighbourFaults, noMember, undeclared, type HistoryFault } from './neighbour-faults.ts';
import { isWeight, type Generation, type PlacementInput } from './history.ts';

const WEIGHTS = '(allowed: above 0, at most 1000, at most three decimals)';

/** Every fault of a history, in the order of the file; none means that `buildPlacement` takes it. */
export function historyFaults(input: PlacementInput): HistoryFault[] {
  const history = generationFaults(input);
  return [
    ...weightFaults(input),
    ...neighbourFaults(input, history.members),
    ...history.faults,
    ...pinFaults(input, history.members),
  ];
}

function weightFaults({ cells }: PlacementInput): HistoryFault[] {
  return [...cells]
    .filter(([, { weight }]) => !isWeight(weight))
    .map(([cell]) => ({ path: `cells.${cell}.weight`, problem: `is no weight ${WEIGHTS}` }));
}

/** Replays with faults and all, so that one fault brings no others; `members` are those at the end. */
function generationFaults({ cells, generations }: PlacementInput): {
  faults: HistoryFault[];
  members: Set<string>;
} {
  const faults: HistoryFault[] = [];
  if (generations.length === 0) {
    faults.push({
      path: 'generations',
      problem: 'is empty (allowed: at least one generation, which adds cells)',
    });
  }
  let members = new Set<string>();
  for (const [index, generation] of generations.entries()) {
    const path = `generations.${index}`;
    const next = after(members, generation);
    faults.push(
      ...shapeFaults(path, index === 0, generation),
      ...addFaults(path, generation, members, cells),
      ...removeFaults(path, generation, members, cells),
      ...reweightFaults(path, generation, members, cells),
    );
    if (members.size > 0 && next.size === 0) {
      faults.push({ path, problem: 'leaves no cell (allowed: at least one member stays)' });
    }
    members = next;
  }
  return { faults, members };
}

function after(members: ReadonlySet<string>, { add = [], remove = [] }: Generation): Set<string> {
  return new Set([...members, ...add].filter((cell) => !remove.includes(cell)));
}

function shapeFaults(path: string, isFirst: boolean, generation: Generation): HistoryFault[] {
  const { add = [], remove = [], reweight = {} } = generation;
  if (isFirst && add.length === 0) {
    return [{ path, problem: 'adds no cell (allowed: the first generation adds at least one)' }];
  }
  const isEmpty = add.length + remove.length + Object.keys(reweight).length === 0;
  return isEmpty ? [{ path, problem: 'is empty (allowed: cells to add, remove or reweight)' }] : [];
}

function addFaults(
  path: string,
  { add = [] }: Generation,
  before: ReadonlySet<string>,
  cells: PlacementInput['cells'],
): HistoryFault[] {
  return add.flatMap((cell, index) => {
    const place = `${path}.add.${index}`;
    if (!cells.has(cell)) return [undeclared(place, cell)];
    const isMember = before.has(cell) || add.indexOf(cell) < index;
    return isMember
      ? [{ path: place, problem: `${cell} is a member already (allowed: a cell that is none)` }]
      : [];
  });
}

function removeFaults(
  path: string,
  { remove = [] }: Generation,
  before: ReadonlySet<string>,
  cells: PlacementInput['cells'],
): HistoryFault[] {
  return remove.flatMap((cell, index) => {
    const place = `${path}.remove.${index}`;
    if (!cells.has(cell)) return [undeclared(place, cell)];
    const isMember = before.has(cell) && remove.indexOf(cell) === index;
    return isMember ? [] : [noMember(place, cell, 'a member before this generation, once')];
  });
}

function reweightFaults(
  path: string,
  { reweight = {}, remove = [] }: Generation,
  before: ReadonlySet<string>,
  cells: PlacementInput['cells'],
): HistoryFault[] {
  return Object.entries(reweight).flatMap(([cell, weight]) => {
    const place = `${path}.reweight.${cell}`;
    const faults: HistoryFault[] = [];
    if (!cells.has(cell)) faults.push(undeclared(place, cell));
    else if (!before.has(cell) || remove.includes(cell)) {
      faults.push(noMember(place, cell, 'a member before this generation that stays'));
    }
    if (!isWeight(weight)) faults.push({ path: place, problem: `is no weight ${WEIGHTS}` });
    return faults;
  });
}

function pinFaults({ cells, pins }: PlacementInput, members: ReadonlySet<string>): HistoryFault[] {
  return [...pins].flatMap(([tenant, { cell }]) => {
    const place = `pins.${tenant}`;
    if (!cells.has(cell)) return [undeclared(place, cell)];
    return members.has(cell) ? [] : [noMember(place, cell, 'a member after the last generation')];
  });
}
