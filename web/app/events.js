// All events: searched, cut to a range, followed live, looked into, exported.

import { html, useEffect, useRef, useState, useLayoutEffect } from './vendor/htm-preact.js';
import { get } from './session.js';
import { follow, painter } from './stream.js';
import { buckets, Histogram } from './chart.js';
import { go } from './router.js';
import { bytes, longAgo, number, plural, fieldsOf, shown, word, utc } from './text.js';
import { Page, Failed, Skeleton, Empty, LiveChip, Copy, When, useLoad, useEvery } from './parts.js';
import { SearchBar } from './searchbar.js';
import { Range } from './range.js';
import { download } from './export.js';
import { Columns, cell, fitting, nameOf, useColumns, widths } from './columns.js';

const step = 300, most = 20000;
const newestFirst = (a, b) => (a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : b.id - a.id);

// merge puts rows into a list that is ordered, each once.
function merge(list, rows) {
  const known = new Set(list.map((r) => r.id));
  const fresh = rows.filter((r) => !known.has(r.id));
  return fresh.length ? [...fresh, ...list].sort(newestFirst) : list;
}

function useEvents(filter, active) {
  const [s, set] = useState({ rows: [], total: 0, loading: true });
  const [live, setLive] = useState('connecting');
  const [held, setHeld] = useState([]);
  const paused = useRef(false);
  const arrived = useRef(0);
  paused.current = !active;
  const key = JSON.stringify(filter);
  const [round, again] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const paint = painter((rows) => {
      arrived.current += rows.length;
      if (paused.current) setHeld((h) => [...h, ...rows].slice(-most));
      else set((x) => ({ ...x, rows: merge(x.rows, rows).slice(0, most), total: x.total + rows.length }));
    });
    set({ rows: [], total: 0, loading: true });
    setHeld([]);
    // The stream first, then the page: what is committed in between comes twice
    // and is shown once. The page is by time, so its ids say nothing of where to
    // begin.
    const load = () => get('/logs', { ...filter, limit: step }, abort.signal).then(
      (page) => { set((x) => ({ rows: merge(page.data, x.rows), total: page.total, atLeast: isLeast(page), loading: false })); if (isLeast(page)) recount(); },
      (error) => { if (!abort.signal.aborted) set((x) => ({ ...x, loading: false, error })); });
    // A total that is only a lower bound is being counted on meanwhile.
    let timer;
    const recount = () => {
      timer = setTimeout(async () => {
        try {
          const page = document.hidden ? null : await get('/logs', { ...filter, limit: 1 }, abort.signal);
          if (page) set((x) => ({ ...x, total: Math.max(page.total, x.rows.length), atLeast: isLeast(page) }));
          if (!page || isLeast(page)) recount();
        } catch { /* the bound stays */ }
      }, 2000);
    };
    let opened = false, began = false;
    const stop = follow({
      params: filter, onRows: paint.add,
      onStats: () => { if (!opened) { opened = began = true; load(); } },
      onState: (word) => {
        setLive(word);
        if (!began && (word === 'waiting' || word === 'asleep')) { began = true; load(); }
      },
    });
    if (document.hidden && !began) { began = true; load(); }
    return () => { abort.abort(); clearTimeout(timer); stop(); paint.stop(); };
  }, [key, round]);
  useEffect(() => {
    if (!active || !held.length) return;
    set((x) => ({ ...x, rows: merge(x.rows, held).slice(0, most), total: x.total + held.length }));
    setHeld([]);
  }, [active, held]);
  const busy = useRef(false);
  const more = async () => {
    if (busy.current || s.rows.length >= Math.min(s.total, most)) return;
    busy.current = true;
    try {
      const page = await get('/logs', { ...filter, limit: step, offset: s.rows.length });
      set((x) => ({ ...x, rows: merge(x.rows, page.data), total: Math.max(page.total, x.rows.length), atLeast: isLeast(page) }));
    } catch { /* the next scroll tries again */ }
    busy.current = false;
  };
  return { ...s, live, held: held.length, more, arrived, again: () => again((n) => n + 1) };
}

// isLeast says that the total of a page is a lower bound.
const isLeast = (page) => page.total_relation === 'gte';

// useEvent finds an event that may be linked to: in the list, or else by its id.
function useEvent(id, list) {
  const [far, set] = useState({});
  const loaded = list.rows.find((r) => String(r.id) === id);
  const ask = !!id && !loaded && !list.loading && !list.error;
  useEffect(() => {
    if (!ask) return undefined;
    const abort = new AbortController();
    get('/logs/' + encodeURIComponent(id), null, abort.signal).then((row) => set({ id, row }), (error) => !abort.signal.aborted && set({ id, error }));
    return () => abort.abort();
  }, [ask, id]);
  if (loaded || !id) return { row: loaded };
  return far.id === id ? far : {};
}

export function Events({ params }) {
  const filter = {};
  if (params.search) filter.search = params.search;
  if (params.start) filter.start_time = params.start;
  if (params.end) filter.end_time = params.end;
  const [active, setActive] = useState(true);
  const list = useEvents(filter, active);
  const chart = useLoad((signal) => buckets({ search: params.search, start: params.start, end: params.end }, signal), [params.search, params.start, params.end]);
  // One error is told once; with the list the chart is there again.
  useEffect(() => { if (chart.error && !list.error && list.live === 'live') chart.again(); }, [list.live, !list.error]);
  useEvery(5000, () => { if (list.arrived.current) { list.arrived.current = 0; chart.again(); } });
  const change = (next) => go('/events', { ...params, open: '', ...next });
  const { row: open, error: missing } = useEvent(params.open, list);
  const [columns, setColumns] = useColumns();
  const show = (row) => go('/events', { ...params, open: row ? row.id : '' }, true);
  return html`<${Page} title="Events" actions=${html`<${LiveChip} state=${list.live} paused=${!active} />
      <button onClick=${() => setActive(!active)} aria-pressed=${!active}>${active ? 'Pause' : list.held ? `Resume, ${number(list.held)} new` : 'Resume'}</button><${Export} filter=${filter} total=${list.total} />`}>
    <div class="toolbar"><${SearchBar} value=${params.search || ''} rows=${list.rows} onSearch=${(search) => change({ search })} /><${Range} params=${params} change=${change} /></div>
    ${!list.error && html`<section class="panel slim">${chart.error ? html`<${Failed} error=${chart.error} again=${chart.again} />` : html`<${Histogram} data=${chart.data} height=${110} onZoom=${(start, end) => change({ start, end })} />`}</section>`}
    ${missing && html`<${Failed} error=${missing.status === 404 ? { message: `There is no event ${params.open}. It may have expired.` } : missing} />`}
    ${list.error ? html`<${Failed} error=${list.error} again=${list.again} />` : html`<div class="above"><p class="count dim" aria-live="off">${list.loading ? 'Loading' : (list.atLeast ? 'At least ' : '') + plural(list.total, 'event')}${params.search || params.start || params.end ? ' match' : ''}</p><${Columns} columns=${columns} change=${setColumns} /></div>
    <div class=${'split' + (open ? ' opened' : '')}>
      ${list.loading ? html`<${Skeleton} rows=${12} />` : list.rows.length ? html`<${List} rows=${list.rows} total=${list.total} more=${list.more} columns=${columns} open=${open} show=${show} />`
        : html`<${Empty}>${params.search || params.start || params.end ? html`Nothing matches. <a href="/events">Show all events</a>${params.search ? ', or check the spelling: a value after a colon must be equal.' : ', or choose a wider range.'}`
          : html`No event was ever stored. The first appears here by itself. <a href="/ingest">See what is being read</a>.`}<//>`}
      ${open && html`<${Detail} row=${open} close=${() => show(null)} narrow=${(w) => change({ search: ((params.search || '') + ' ' + w).trim() })} />`}
    </div>`}<//>`;
}

// Only what is looked at is in the page, however long the list.
function List({ rows, total, more, columns, open, show }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600, row: 30 });
  const [at, setAt] = useState(null);
  const head = useRef(null);
  const measure = () => {
    const b = box.current;
    if (b) setView({ top: b.scrollTop, height: b.clientHeight, row: innerWidth < 720 ? 54 : 30 });
  };
  useLayoutEffect(() => {
    measure();
    const o = new ResizeObserver(measure);
    o.observe(box.current);
    return () => o.disconnect();
  }, []);
  // What somebody reads must not move away when rows come in above it.
  useLayoutEffect(() => {
    const b = box.current;
    if (head.current && b.scrollTop > view.row && rows[0].id !== head.current) {
      const moved = rows.findIndex((r) => r.id === head.current);
      if (moved > 0) b.scrollTop += moved * view.row;
    }
    head.current = rows[0].id;
  }, [rows]);
  const first = Math.max(0, Math.floor(view.top / view.row) - 6);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / view.row) + 6);
  useEffect(() => { if (last > rows.length - 40) more(); }, [last, rows.length]);
  const select = (i) => {
    const n = Math.max(0, Math.min(rows.length - 1, i)), b = box.current;
    setAt(rows[n].id);
    if (n * view.row < b.scrollTop) b.scrollTop = n * view.row;
    if ((n + 1) * view.row > b.scrollTop + b.clientHeight) b.scrollTop = (n + 1) * view.row - b.clientHeight;
    if (open) show(rows[n]);
  };
  const index = rows.findIndex((r) => r.id === at);
  const keydown = (e) => {
    const page = Math.floor(view.height / view.row);
    const to = { j: index + 1, ArrowDown: index + 1, k: index - 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1, PageDown: index + page, PageUp: index - page }[e.key];
    if (to !== undefined && !e.ctrlKey && !e.metaKey) { e.preventDefault(); select(to); }
    else if (e.key === 'Enter' && index >= 0) show(rows[index]);
    else if (e.key === 'Escape' && open) show(null);
  };
  const fit = fitting(columns, !!open);
  const tracks = view.row === 30 ? { gridTemplateColumns: widths(fit, longAgo(rows[0].timestamp) || longAgo(rows[rows.length - 1].timestamp)) } : {};
  return html`<div class="events"><div class="row head" aria-hidden="true" style=${tracks}>${fit.map((c) => html`<span>${nameOf(c)}</span>`)}</div>
    <div ref=${box} class="list" data-list role="listbox" aria-label="Events, newest first" tabindex="0" aria-activedescendant=${index >= first && index < last ? 'event-' + at : undefined} onScroll=${measure} onKeyDown=${keydown}>
    <div class="rows" role="presentation" style=${{ height: rows.length * view.row + 'px' }}>${rows.slice(first, last).map((r, i) => html`<div key=${r.id} id=${'event-' + r.id} role="option"
      aria-selected=${r.id === at || r === open} aria-setsize=${total} aria-posinset=${first + i + 1} class="row" style=${{ top: (first + i) * view.row + 'px', ...tracks }} onClick=${() => { setAt(r.id); show(r); }}>
      ${fit.map((c) => cell(c, r))}</div>`)}</div></div></div>`;
}

function Detail({ row, close, narrow }) {
  const fields = Object.entries(fieldsOf(row));
  const [whole, setWhole] = useState(false);
  const columns = [['attacker', row.attacker_ip], ['decky', row.decky], ['service', row.service], ['event', row.event_type]];
  const Line = ({ k, v }) => html`<div><dt>${shown(k, 60)}</dt><dd><bdi class="mono">${shown(v, whole ? 50000 : 600)}</bdi><span class="tools">${(typeof v !== 'object') && String(v).length < 200 && /^[\w-]+$/.test(k) && html`<button class="quiet" title="Only events with this value" aria-label=${'Only events with this ' + k} onClick=${() => narrow(word(k, v))}>+</button>`}<${Copy} text=${typeof v === 'object' ? JSON.stringify(v) : String(v)} what=${shown(k, 40)} /></span></dd></div>`;
  return html`<aside class="detail" aria-label="The event"><header><h2>Event ${number(row.id)}</h2><button class="quiet" onClick=${close} aria-label="Close the event">✕</button></header>
    <p><${When} t=${row.timestamp} /> <span class="dim">${utc(row.timestamp)}</span></p>
    <dl class="lines">${columns.map(([k, v]) => html`<${Line} key=${k} k=${k} v=${v} />`)}</dl>
    <p><a href=${'/attackers?ip=' + encodeURIComponent(row.attacker_ip)}>Show this attacker</a></p>
    ${row.msg && html`<h3>Message</h3><pre class="hostile" tabindex="0">${shown(row.msg, whole ? 50000 : 2000)}</pre>`}
    <h3>Fields</h3>${fields.length ? html`<dl class="lines">${fields.slice(0, 100).map(([k, v]) => html`<${Line} key=${k} k=${k} v=${v} />`)}</dl>` : html`<p class="dim">The event has none.</p>`}
    <h3>Raw line <${Copy} text=${row.raw_line} what="raw line" /></h3><pre class="hostile" tabindex="0">${shown(row.raw_line, whole ? 50000 : 2000) || '(none)'}</pre>
    ${JSON.stringify(row).length > 2600 && html`<button onClick=${() => setWhole(!whole)}>${whole ? 'Show less' : 'Show more'}</button>`}</aside>`;
}

function Export({ filter, total }) {
  const [state, set] = useState(null);
  const [open, setOpen] = useState(false);
  const abort = useRef(null);
  const run = async (form) => {
    setOpen(false);
    abort.current = new AbortController();
    set('Asking');
    try {
      const n = await download(filter, form, (size) => set(bytes(size)), abort.current.signal);
      set(bytes(n) + ' saved');
    } catch (e) { set(e.name === 'AbortError' ? 'Cancelled' : e.message); }
    abort.current = null;
    setTimeout(() => set(null), 4000);
  };
  if (state) return html`<span class="export" role="status">${state} ${abort.current && html`<button onClick=${() => abort.current.abort()}>Cancel</button>`}</span>`;
  return html`<span class="menu"><button aria-expanded=${open} disabled=${!total} onClick=${() => setOpen(!open)}>Export</button>
    <span class="items" hidden=${!open}><button data-export="csv" onClick=${() => run('csv')}>CSV, for spreadsheets</button><button data-export="ndjson" onClick=${() => run('ndjson')}>NDJSON, complete</button></span></span>`;
}
