// Events over time: bars from /logs/histogram, and a drag that chooses a range.

import { html, useEffect, useRef } from './vendor/htm-preact.js';
import { get } from './session.js';
import { number, localTime } from './text.js';

const widths = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10080, 43200];
const at = (text) => Date.parse(text.replace(' ', 'T') + 'Z') / 1000;

// buckets loads a histogram of about a hundred bars, with the empty ones in it.
export async function buckets({ search, start, end }, signal) {
  let from = start && Date.parse(start) / 1000, to = end && Date.parse(end) / 1000;
  if (!from || !to) {
    const rough = await get('/logs/histogram', { search, start_time: start, end_time: end, interval_minutes: 1440 }, signal);
    if (!rough.length) return { times: [], counts: [], minutes: 1440 };
    from ||= at(rough[0].time);
    to ||= Math.max(at(rough[rough.length - 1].time) + 86400, from + 60);
  }
  const load = () => {
    minutes = widths.find((w) => (to - from) / 60 / w <= 110) || 43200;
    return get('/logs/histogram', { search, start_time: start, end_time: end, interval_minutes: minutes }, signal);
  };
  let minutes;
  let rows = await load();
  // Days tell little of events that fill minutes: look again at what is filled.
  while (rows.length && rows.length < 30 && minutes > 1 && !(start && end)) {
    const before = minutes;
    if (!start) from = at(rows[0].time);
    if (!end) to = at(rows[rows.length - 1].time) + minutes * 60;
    if (widths.find((w) => (to - from) / 60 / w <= 110) >= before) break;
    rows = await load();
  }
  const width = minutes * 60;
  const known = new Map(rows.map((r) => [at(r.time), r.count]));
  let first = Math.floor(from / width) * width, last = Math.floor(to / width) * width;
  if (!start && rows.length) first = at(rows[0].time) - (rows.length < 3 ? width : 0);
  if (!end && rows.length) last = at(rows[rows.length - 1].time) + (rows.length < 3 ? width : 0);
  const times = [], counts = [];
  for (let t = first; t <= last && times.length < 400; t += width) {
    times.push(t);
    counts.push(known.get(t) || 0);
  }
  return { times, counts, minutes };
}

// zoomOf is how much larger than usual texts are on this screen.
export const zoomOf = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Histogram draws the buckets. onZoom gets two dates in ISO form.
export function Histogram({ data, height = 150, onZoom, label = 'Events over time' }) {
  const box = useRef(null);
  const chart = useRef(null);
  const zoom = useRef(onZoom);
  const tip = useRef(null);
  zoom.current = onZoom;
  height = Math.round(height * zoomOf());
  useEffect(() => {
    if (!data || !data.times.length || !box.current) return undefined;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new globalThis.uPlot(options(box.current, tip, height, zoom, data.minutes), [data.times, data.counts], box.current);
    };
    draw();
    const sizes = new ResizeObserver(() => chart.current?.setSize({ width: box.current.clientWidth, height }));
    sizes.observe(box.current);
    addEventListener('decnet-theme', draw);
    return () => {
      sizes.disconnect();
      removeEventListener('decnet-theme', draw);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [data, height]);
  const total = data ? data.counts.reduce((a, b) => a + b, 0) : 0;
  const peak = data ? Math.max(0, ...data.counts) : 0;
  const about = !data ? 'Loading' : `${label}: ${number(total)} events, at most ${number(peak)} in ${data.minutes} minutes` +
    (data.times.length ? `, from ${localTime(data.times[0] * 1000)} to ${localTime(data.times[data.times.length - 1] * 1000)}` : '');
  return html`<div class="histogram" style=${{ height: height + 'px' }}>
    <div ref=${box} role="img" aria-label=${about} data-zoom=${onZoom ? 'yes' : 'no'}></div>
    <div ref=${tip} class="tip" aria-hidden="true" hidden></div>
    ${data && !data.times.length && html`<p class="nothing">No events in this range.</p>`}
  </div>`;
}

// labels names times on one line: the hour, and the day where it changes. One
// that would be cut at an edge is left out.
function labels(u, ts, scale, sides) {
  let before = '';
  const second = ts[1] - ts[0] < 60 ? '2-digit' : undefined;
  return ts.map((t) => {
    const d = new Date(t * 1000), date = dayOf(d);
    const half = (text) => text.length * 3.2 * scale, x = u.valToPos(t, 'x');
    const text = date === before ? clockOf(d, second) : ts[1] - ts[0] >= 86400 ? date : date + ' ' + clockOf(d, second);
    if (x + sides.left < half(text) || u.valToPos(u.scales.x.max, 'x') - x + sides.right < half(text)) return '';
    before = date;
    return text;
  });
}
const dayOf = (d) => d.toLocaleDateString(undefined, { month: 'short', day: 'numeric', year: d.getFullYear() === new Date().getFullYear() ? undefined : 'numeric' });
const clockOf = (d, second) => d.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second, hourCycle: 'h23' });

function options(box, tip, height, zoom, minutes) {
  const scale = zoomOf(), sides = { left: 46 * scale, right: 22 * scale };
  const axis = { stroke: css('--dim'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: 11 * scale + 'px ' + css('--sans') };
  return {
    width: box.clientWidth || 300, height, padding: [8 * scale, sides.right, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { range: (_, min, max) => [min, max + minutes * 60] }, y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] } },
    axes: [{ ...axis, grid: { show: false }, size: 26 * scale, space: 90 * scale, incrs: [...widths, 129600, 525600].filter((w) => w >= minutes).map((w) => w * 60), values: (u, ts) => labels(u, ts, scale, sides) }, { ...axis, size: sides.left, space: 34 * scale, values: (_, vs) => vs.map((v) => (v % 1 ? '' : number(v))) }],
    series: [{}, { stroke: css('--accent'), fill: css('--bar'), width: 1, points: { show: false }, paths: globalThis.uPlot.paths.bars({ size: [0.84, 120 * scale], align: 1 }) }],
    hooks: {
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        const from = u.posToVal(u.select.left, 'x'), to = u.posToVal(u.select.left + u.select.width, 'x');
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        zoom.current?.(new Date(from * 1000).toISOString(), new Date(to * 1000).toISOString());
      }],
      setCursor: [(u) => {
        const t = tip.current;
        if (!t) return;
        // The bar under the pointer begins left of it; uPlot's index is the nearest beginning.
        const i = u.cursor.idx == null ? -1 : u.cursor.idx - (u.posToVal(u.cursor.left, 'x') < u.data[0][u.cursor.idx] ? 1 : 0);
        t.hidden = i < 0 || u.cursor.left < 0;
        if (t.hidden) return;
        t.textContent = `${localTime(u.data[0][i] * 1000)} · ${number(u.data[1][i])} in ${minutes} min`;
        t.style.left = Math.min(u.cursor.left + sides.left + 4, box.clientWidth - t.offsetWidth - 4) + 'px';
      }],
    },
  };
}
