// The fleet file's text as data, with what is by tenant apart: what YAML would lose or hide on the way is a fault here.
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, parseDocument, visit, type Document } from 'yaml';
import type { Fault } from '../faults.ts';

export type ByTenant = [string, unknown][];

export type FleetText = {
  /** All but what is by tenant, as plain data; undefined when the text could not be read at all. */
  data: unknown;
  /** Tenant, as it was written, → its pin, not validated yet. */
  pins: ByTenant;
  /** The same of `rateLimit.tenants`. */
  rates: ByTenant;
  faults: Fault[];
};

/** The mappings whose keys are tenants. */
const PINS = ['pins'] as const;
const RATES = ['rateLimit', 'tenants'] as const;
const OF_TENANTS = [PINS, RATES].map((path) => path.join('.'));

const ALLOWED = '(allowed: one YAML 1.2 document)';

/** Reads the text. Never throws: whatever is wrong with it is in `faults`. */
export function readYaml(text: string): FleetText {
  const document = parseDocument(text, {
    uniqueKeys: false,
    merge: false,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const problems = new Set([...document.errors, ...document.warnings].map(syntaxProblem));
  if (problems.size > 0) return unreadable([...problems]);
  try {
    const faults = keyFaults(document);
    const pins = readByTenant(document, PINS, 'tenant: cell', faults);
    const rates = readByTenant(document, RATES, 'tenant: { rps, burst }', faults);
    return { data: withoutTenants(document), pins, rates, faults };
  } catch (error) {
    // Aliases are followed only now: one without its anchor, or a file that grows without bounds.
    return unreadable([syntaxProblem(error as Error)]);
  }
}

function unreadable(problems: string[]): FleetText {
  const faults = problems.map((problem) => ({ path: '', problem: `${problem} ${ALLOWED}` }));
  return { data: undefined, pins: [], rates: [], faults };
}

/** The first line of the parser's message: the others repeat the file's own text. */
function syntaxProblem(error: { message: string; code?: string }): string {
  if (error.code === 'MULTIPLE_DOCS') return 'several documents';
  const [first = 'not YAML'] = error.message.split('\n');
  return first.replace(/:$/, '');
}

/**
 * YAML forbids a key twice; here each such place becomes a fault of its own instead of ending the reading. Keys that
 * are no text, and `__proto__`, would be lost or stand for something else as data; among tenants, read apart, they do not.
 */
function keyFaults(document: Document): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Map(_, map, parents) {
      const seen = new Set<string>();
      const above = placeOf([...parents, map]);
      for (const { key } of map.items) {
        const name = keyText(key);
        const path = [...above, name].join('.');
        if (!isScalar(key)) faults.push({ path, problem: 'not a plain key (allowed: text)' });
        else if (seen.has(name)) faults.push({ path, problem: 'declared twice (allowed: once)' });
        else if (name === '__proto__' && !OF_TENANTS.includes(above.join('.')))
          faults.push({ path, problem: 'reserved (allowed: any other name)' });
        seen.add(name);
      }
    },
  });
  return faults;
}

/** The place of the last of `nodes`, each within the one before it: keys of mappings, numbers of list entries. */
function placeOf(nodes: readonly unknown[]): string[] {
  return nodes.flatMap((node, i) => {
    if (isPair(node)) return [keyText(node.key)];
    return isSeq(node) && i + 1 < nodes.length ? [String(node.items.indexOf(nodes[i + 1]))] : [];
  });
}

/** The key as it was written: a tenant `007` is not the number seven. */
function keyText(key: unknown): string {
  if (!isScalar(key)) return String(key);
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function readByTenant(
  document: Document,
  path: readonly string[],
  allowed: string,
  faults: Fault[],
): ByTenant {
  const value = nodeAt(document, path);
  if (value === undefined || (isScalar(value) && value.value === null)) return [];
  if (!isMap(value)) {
    faults.push({ path: path.join('.'), problem: `not a mapping (allowed: ${allowed})` });
    return [];
  }
  return value.items
    .filter(({ key }) => isScalar(key))
    .map(({ key, value: its }) => [keyText(key), isNode(its) ? its.toJS(document) : its]);
}

function nodeAt(document: Document, path: readonly string[]): unknown {
  let node: unknown = document.contents;
  for (const name of path) {
    if (!isMap(node)) return undefined;
    const value: unknown = node.items.find((pair) => keyText(pair.key) === name)?.value;
    node = isAlias(value) ? value.resolve(document) : value;
  }
  return node;
}

function withoutTenants(document: Document): unknown {
  const value: unknown = document.toJS();
  if (!isMapping(value)) return value;
  const { pins: _, ...rest } = value;
  const { rateLimit } = rest;
  if (!isMapping(rateLimit)) return rest;
  const { tenants: __, ...others } = rateLimit;
  return { ...rest, rateLimit: others };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
