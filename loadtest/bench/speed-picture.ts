// The main table as a picture for the docs: bars of CPU time per request, readable in light and dark. Pure.
import { CONTENDERS, type ContenderId } from './contenders/all.ts';
import { samplesOf } from './speed-judge.ts';
import type { Series } from './speed-table.ts';
import { median } from './statistics.ts';
import { WORKLOADS, type WorkloadId } from './speed-workloads.ts';

const WIDTH = 760;
const LABEL = 240;
const VALUE = 70;
const ROW = 22;
const BAR = 14;
const TITLE = 34;
const TOP = 44;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; } .note { fill: #59636e; }
  .bar { fill: #8c959f; } .ours { fill: #0969da; } .range { stroke: #1f2328; stroke-opacity: .55; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .note { fill: #9198a1; }
    .bar { fill: #656c76; } .ours { fill: #4493f8; } .range { stroke: #e6edf3; }
  }`;

type Bar = { id: ContenderId; value: number; low: number; high: number };

/** SVG. A bar is the median, the line on it goes from the lowest to the highest round; shorter is better. */
export function pictureOf(series: readonly Series[], about: string): string {
  const groups = (Object.keys(WORKLOADS) as WorkloadId[])
    .map((workload) => ({ workload, bars: barsOf(series, workload) }))
    .filter(({ bars }) => bars.length > 0);
  let top = TOP;
  const parts = groups.map(({ workload, bars }) => {
    const part = groupAt(top, WORKLOADS[workload].label, bars);
    top += TITLE + bars.length * ROW;
    return part;
  });
  const height = top + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>CPU time per request of each contender</title>
<style>${STYLE}
</style>
<text x="8" y="20" class="title">CPU µs per request of the proxy’s process; shorter is better</text>
<text x="8" y="38" class="note">${escaped(about)}</text>
${parts.join('\n')}
</svg>
`;
}

function barsOf(series: readonly Series[], workload: WorkloadId): Bar[] {
  return (Object.keys(CONTENDERS) as ContenderId[]).flatMap((id) => {
    const cpu = (samplesOf(series, id, workload) ?? []).map(({ cpuUs }) => cpuUs);
    if (cpu.length === 0) return [];
    return [{ id, value: median(cpu), low: Math.min(...cpu), high: Math.max(...cpu) }];
  });
}

function groupAt(top: number, label: string, bars: readonly Bar[]): string {
  const scale = (WIDTH - LABEL - VALUE) / Math.max(...bars.map(({ high }) => high));
  const rows = bars.map(({ id, value, low, high }, at) => {
    const y = top + TITLE + at * ROW;
    const middle = y + BAR / 2;
    const end = (us: number): string => (LABEL + us * scale).toFixed(1);
    const kind = id.startsWith('cellgate') ? 'ours' : 'bar';
    return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escaped(CONTENDERS[id])}</text>
<rect x="${LABEL}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR}" rx="2" class="${kind}"/>
<line x1="${end(low)}" x2="${end(high)}" y1="${middle}" y2="${middle}" class="range"/>
<text x="${Number(end(high)) + 6}" y="${y + 12}">${value.toFixed(1)}</text>`;
  });
  return `<text x="8" y="${top + 24}" class="title">${escaped(label)}</text>\n${rows.join('\n')}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
