// The fleet file's text as data, with its pins apart: what YAML would lose or hide on the way is a fault here.
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, parseDocument, visit, type Document } from 'yaml';
import type { Fault } from '../faults.ts';

export type FleetText = {
  /** All but the pins, as plain data; undefined when the text could not be read at all. */
  data: unknown;
  /** Tenant, as it was written, → its pin, not validated yet. */
  pins: [string, unknown][];
  faults: Fault[];
};

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
    const pins = readPins(document, faults);
    return { data: withoutPins(document), pins, faults };
  } catch (error) {
    // Aliases are followed only now: one without its anchor, or a file that grows without bounds.
    return unreadable([syntaxProblem(error as Error)]);
  }
}

function unreadable(problems: string[]): FleetText {
  const faults = problems.map((problem) => ({ path: '', problem: `${problem} ${ALLOWED}` }));
  return { data: undefined, pins: [], faults };
}

/** The first line of the parser's message: the others repeat the file's own text. */
function syntaxProblem(error: { message: string; code?: string }): string {
  if (error.code === 'MULTIPLE_DOCS') return 'several documents';
  const [first = 'not YAML'] = error.message.split('\n');
  return first.replace(/:$/, '');
}

/**
 * YAML forbids a key twice; here each such place becomes a fault of its own instead of ending the reading. Keys that
 * are no text, and `__proto__`, would be lost or stand for something else as data; among pins, read apart, they do not.
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
        else if (name === '__proto__' && above.join('.') !== 'pins')
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

function readPins(document: Document, faults: Fault[]): [string, unknown][] {
  const value = pinsNode(document);
  if (value === undefined || (isScalar(value) && value.value === null)) return [];
  if (!isMap(value)) {
    faults.push({ path: 'pins', problem: 'not a mapping (allowed: tenant: cell)' });
    return [];
  }
  return value.items
    .filter(({ key }) => isScalar(key))
    .map(({ key, value: pin }) => [keyText(key), isNode(pin) ? pin.toJS(document) : pin]);
}

function pinsNode(document: Document): unknown {
  if (!isMap(document.contents)) return undefined;
  const value: unknown = document.contents.items.find((pair) => keyText(pair.key) === 'pins')?.value;
  return isAlias(value) ? value.resolve(document) : value;
}

function withoutPins(document: Document): unknown {
  const value: unknown = document.toJS();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { pins: _, ...rest } = value as Record<string, unknown>;
  return rest;
}
