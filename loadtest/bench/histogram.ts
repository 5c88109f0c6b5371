// Histograms as routers export them: read from the text of /metrics, subtracted, added up, and asked for a quantile. Pure.

/** Upper edge in seconds → how many observations were at most that, as Prometheus counts them. The last edge is infinite. */
export type Histogram = ReadonlyMap<number, number>;

const EMPTY: Histogram = new Map();

/** Those of the histogram's series that have this label, which must be unquoted text. Empty: there are none. */
export function histogramIn(text: string, name: string, label: string, value: string): Histogram {
  const counts = new Map<number, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`) || !line.includes(`${label}="${value}"`)) continue;
    const [, edge = ''] = /le="([^"]+)"/.exec(line) ?? [];
    const count = Number(line.slice(line.lastIndexOf(' ') + 1));
    counts.set(edge === '+Inf' ? Number.POSITIVE_INFINITY : Number(edge), count);
  }
  return new Map([...counts].sort(([a], [b]) => a - b));
}

/** What was observed between two readings of one histogram. */
export function difference(after: Histogram, before: Histogram = EMPTY): Histogram {
  return new Map([...after].map(([edge, count]) => [edge, count - (before.get(edge) ?? 0)]));
}

export function sumOf(histograms: readonly Histogram[]): Histogram {
  const sum = new Map<number, number>();
  for (const one of histograms) for (const [edge, count] of one) sum.set(edge, (sum.get(edge) ?? 0) + count);
  return new Map([...sum].sort(([a], [b]) => a - b));
}

export function countIn(histogram: Histogram): number {
  return histogram.get(Number.POSITIVE_INFINITY) ?? 0;
}

/** The value, in seconds, that so large a part (0–1) does not exceed, evenly spread within its bucket. NaN of nothing. */
export function quantileOf(histogram: Histogram, part: number): number {
  const wanted = part * countIn(histogram);
  let [lowEdge, below] = [0, 0];
  for (const [edge, count] of histogram) {
    if (count >= wanted && count > below) {
      if (edge === Number.POSITIVE_INFINITY) return lowEdge;
      return lowEdge + (edge - lowEdge) * ((wanted - below) / (count - below));
    }
    [lowEdge, below] = [edge, count];
  }
  return Number.NaN;
}

/** No observation was longer than this, in seconds: the upper edge of the last bucket that has one. NaN of nothing. */
export function edgeOf(histogram: Histogram): number {
  const all = countIn(histogram);
  if (all === 0) return Number.NaN;
  return [...histogram].find(([, count]) => count === all)?.[0] ?? Number.NaN;
}
