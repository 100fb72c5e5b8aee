// What happens now, who does it, and what they try.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.js';
import { get } from './session.js';
import { follow, painter } from './stream.js';
import { buckets, Histogram } from './chart.js';
import { go, eventsLink } from './router.js';
import { number, fieldsOf, summary, word, shown } from './text.js';
import { Page, Panel, Loaded, Bars, Segments, When, LiveChip, Tag, useLoad, useEvery, Empty } from './parts.js';

const ranges = { hour: 3600, day: 86400, week: 604800 };
const sample = 1000;
const since = (range) => (ranges[range] ? new Date(Date.now() - ranges[range] * 1000).toISOString() : '');

// count ranks the values that f gives of rows.
function count(rows, f) {
  const n = new Map();
  for (const r of rows) { const k = f(r); if (k != null) n.set(k, (n.get(k) || 0) + 1); }
  return [...n].sort((a, b) => b[1] - a[1]).slice(0, 8);
}

async function load(range, signal) {
  const start = since(range);
  const [page, histogram, stats] = await Promise.all([
    get('/logs', { limit: sample, start_time: start }, signal), buckets({ start, end: start && new Date().toISOString() }, signal), get('/stats', null, signal)]);
  let attackers, credentials;
  if (!start) {
    const [a, c] = await Promise.all([get('/attackers', { limit: 8, sort_by: 'active' }, signal), get('/credentials', { limit: 8 }, signal)]);
    attackers = a.data.map((x) => ({ key: x.uuid, name: x.ip, count: x.event_count, href: '/attackers/' + x.uuid }));
    credentials = c.data.map((x) => ({ key: x.id, name: x.username + ' : ' + x.password, count: x.attempts, href: eventsLink(word('username', x.username) + ' ' + word('password', x.password)) }));
  } else {
    attackers = count(page.data, (r) => r.attacker_ip).map(([k, n]) => ({ key: k, name: k, count: n, href: '/attackers?search=' + encodeURIComponent(k) }));
    credentials = count(page.data, (r) => { const f = fieldsOf(r); return f.password == null ? null : JSON.stringify([f.username ?? '', f.password]); })
      .map(([k, n]) => { const [u, p] = JSON.parse(k); return { key: k, name: `${u} : ${p}`, count: n, href: eventsLink(word('username', u) + ' ' + word('password', p), { start }) }; });
  }
  const tops = (key) => count(page.data, (r) => r[key]).map(([k, n]) => ({ key: k, name: k, count: n, href: eventsLink(word(key, k), start ? { start } : {}) }));
  return { range, page, histogram, stats, attackers, credentials, services: tops('service'), deckies: tops('decky'), seenAttackers: new Set(page.data.map((r) => r.attacker_ip)).size };
}

// The range that nobody chose: the last day, or all where that was quiet.
async function automatic(range, signal) {
  if (range) return load(range, signal);
  const day = await load('day', signal);
  return day.page.total ? day : load('all', signal);
}

export function Overview({ params }) {
  const state = useLoad((signal) => automatic(params.range, signal), [params.range]);
  const [feed, setFeed] = useState({ rows: [], fresh: new Set() });
  const [live, setLive] = useState('connecting');
  const [stats, setStats] = useState(null);
  const arrived = useRef(0);
  const first = state.data && !state.loading;
  useEffect(() => { if (state.data) setFeed({ rows: state.data.page.data.slice(0, 14), fresh: new Set() }); }, [state.data]);
  useEffect(() => {
    if (!state.data) return undefined;
    let known = state.data.stats.total_logs;
    const paint = painter((rows) => {
      arrived.current += rows.length;
      setFeed((f) => ({ rows: [...rows.slice(-14).reverse(), ...f.rows].slice(0, 14), fresh: new Set(rows.slice(-14).map((r) => r.id)) }));
    });
    const stop = follow({ onRows: paint.add, onStats: (n) => { if (n.total_logs !== known) { known = n.total_logs; arrived.current ||= 1; } setStats(n); }, onState: setLive });
    return () => { stop(); paint.stop(); };
  }, [!!state.data, params.range]);
  useEvery(5000, () => { if (arrived.current) { arrived.current = 0; state.again(); } });
  const range = state.data ? state.data.range : params.range || 'day';
  const actions = html`<${LiveChip} state=${live} /><${Segments} label="Range" value=${range} options=${[['hour', 'Hour'], ['day', 'Day'], ['week', 'Week'], ['all', 'All']]} onChange=${(r) => go('/', { range: r })} />`;
  return html`<${Page} title="Overview" actions=${actions}>
    <${Loaded} state=${state} rows=${12} isEmpty=${(d) => !d.stats.total_logs && !feed.rows.length}
      empty=${html`No event was ever seen. Point decnet at a log with <code>--ingest</code>, send lines from a sensor, or start decoys with <code>--decoys</code>; the first event appears here by itself. <a href="/ingest">See what is being read</a>.`}>
    ${(d) => html`<${Counters} d=${d} s=${stats || d.stats} />
      <${Panel} title="Events over time" aside=${html`<span class="dim">Drag to look closer</span>`}>
        <${Histogram} data=${d.histogram} height=${170} onZoom=${(start, end) => go('/events', { start, end })} /><//>
      <div class="grid overview">
        <${Panel} kind="wide" title="Latest events" aside=${html`<a href="/events">All events</a>`}><${Feed} feed=${feed} live=${first} /><//>
        <${Panel} title="Top attackers" aside=${html`<a href="/attackers?sort_by=active">All</a>`}><${Bars} rows=${d.attackers} empty="Nobody in this range." /><//>
        <${Panel} title="Credentials tried" aside=${html`<a href="/credentials">All</a>`}><${Bars} rows=${d.credentials} empty="None in this range." /><//>
        <${Panel} title="Services"><${Bars} rows=${d.services} empty="None in this range." /><//>
        <${Panel} title="Decoys" aside=${html`<a href="/fleet">Fleet</a>`}><${Bars} rows=${d.deckies} empty="None in this range." /><//>
      </div>
      ${d.page.total > sample && html`<p class="dim foot">${d.range === 'all' ? 'Services and decoys are' : 'The rankings are'} of the latest ${number(sample)} of ${number(d.page.total)} events.</p>`}`}
    <//><//>`;
}

function Counters({ d, s }) {
  const some = d.range !== 'all';
  const cells = [
    [some ? 'Events in range' : 'Events', number(some ? d.page.total : s.total_logs), some ? number(s.total_logs) + ' in all' : 'ever stored'],
    [some ? 'Attackers in range' : 'Attackers', (some && d.page.total > sample ? '≥ ' : '') + number(some ? d.seenAttackers : s.unique_attackers), some ? number(s.unique_attackers) + ' in all' : 'distinct addresses'],
    ['Decoys seen', number(s.active_deckies), 'sent events'],
    ['Decoys deployed', number(s.deployed_deckies), 'in the fleet'],
  ];
  return html`<dl class="counters">${cells.map(([name, n, note]) => html`<div><dt>${name}</dt><dd>${n}<small>${note}</small></dd></div>`)}</dl>`;
}

function Feed({ feed }) {
  if (!feed.rows.length) return html`<${Empty}>No events in this range. Choose a wider one above.<//>`;
  return html`<ol class="feed" aria-label="Latest events">${feed.rows.map((r) => html`<li key=${r.id} class=${feed.fresh.has(r.id) ? 'fresh' : ''}>
    <a href=${'/events?open=' + r.id + '&' + new URLSearchParams({ search: word('attacker', r.attacker_ip) })}><${When} t=${r.timestamp} only="clock" />
    <span class="mono who">${shown(r.attacker_ip, 40)}</span><${Tag} kind="service">${shown(r.service, 20)}<//><span class="what dim">${shown(r.event_type, 32)}</span><bdi class="mono say">${summary(r)}</bdi></a></li>`)}</ol>`;
}
