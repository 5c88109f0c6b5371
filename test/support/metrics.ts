// Reads `/metrics` of a router, strictly: a line that is not Prometheus text is an error.
import { until } from './wait.ts';

export type Sample = { name: string; labels: Record<string, string>; value: number };

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (NaN|[+-]?(?:Inf|[\d.]+(?:e[+-]?\d+)?))$/i;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g;

/** Every sample of an exposition. Throws on what is neither a comment nor a sample. */
export function parseMetrics(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const lines = text.split('\n').filter((line) => line !== '' && !/^# (HELP|TYPE) \w+ ./.test(line));
  return lines.map((line) => {
    const match = SAMPLE.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const labels = [...(match[2] ?? '').matchAll(LABEL)].map(([, name, value]) => [name, value]);
    return { name: match[1] ?? '', labels: Object.fromEntries(labels), value: Number(match[3]) };
  });
}

export async function metricsOf(admin: string): Promise<Sample[]> {
  const answer = await fetch(`${admin}/metrics`);
  return parseMetrics(await answer.text());
}

/** The sum of a metric's samples that have these labels. */
export function sumOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((one) => one.name === name)
    .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/** Waits until no request and no tunnel of this router is inside any cell. */
export async function untilNothingInside(admin: string): Promise<void> {
  await until('nothing is inside the cells', async () => {
    const samples = await metricsOf(admin);
    return sumOf(samples, 'cellgate_inside_requests') + sumOf(samples, 'cellgate_inside_tunnels') === 0;
  });
}
