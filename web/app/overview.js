// What happens now, who does it, and what they try.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/htm-preact.js';
import { get } from './session.js';
import { follow, painter } from './stream.js';
import { buckets, Histogram } from './chart.js';
import { go, eventsLink } from './router.js';
import { isToday, number, summary, word, shown } from './text.js';
import { Page, Panel, Loaded, Bars, Segments, When, LiveChip, Tag, useLoad, useEvery, Empty } from './parts.js';

const ranges = { hour: 3600, day: 86400, week: 604800 };
// What fits into the window on a large screen, where the rankings are beside the feed.
const room = () => (innerWidth < 1900 ? 14 : Math.max(14, Math.min(40, Math.floor((innerHeight * 14 / parseFloat(getComputedStyle(document.documentElement).fontSize) - 400) / 25.5))));
const ranked = () => (innerWidth < 1900 ? 8 : Math.max(8, Math.floor(room() / 2) - 2));
const since = (range) => (ranges[range] ? new Date(Date.now() - ranges[range] * 1000).toISOString() : '');

async function load(range, signal) {
  const start = since(range);
  // The default number is served from memory.
  const ranking = (by) => get('/rankings', { by, window: range, limit: ranked() > 10 ? ranked() : '' }, signal);
  const [page, histogram, stats, attackers, services, deckies, credentials] = await Promise.all([
    get('/logs', { limit: room(), start_time: start }, signal), buckets({ start, end: start && new Date().toISOString() }, signal), get('/stats', null, signal),
    ranking('attacker'), ranking('service'), ranking('decky'), ranking('credential')]);
  const bars = (r, href) => r.data.slice(0, ranked()).map((x) => ({ key: x.value, name: x.value, count: x.count, href: href(x) }));
  const events = (key) => (x) => eventsLink(word(key, x.value), start ? { start } : {});
  return {
    range, page, histogram, stats, total: attackers.events, seen: attackers.distinct, exact: attackers.exact, timed: credentials.exact,
    attackers: bars(attackers, (x) => '/attackers/' + x.uuid), services: bars(services, events('service')), deckies: bars(deckies, events('decky')),
    credentials: credentials.data.slice(0, ranked()).map((x) => ({ key: JSON.stringify([x.value, x.password]), name: x.value + ' : ' + x.password, count: x.count, href: eventsLink(word('username', x.value) + ' ' + word('password', x.password), start ? { start } : {}) })),
  };
}

// The range that nobody chose: the last day, or all where that was quiet.
async function automatic(range, signal) {
  if (range) return load(range, signal);
  const day = await load('day', signal);
  return day.total ? day : load('all', signal);
}

export function Overview({ params }) {
  const state = useLoad((signal) => automatic(params.range, signal), [params.range]);
  const [feed, setFeed] = useState({ rows: [], fresh: new Set() });
  const [live, setLive] = useState('connecting');
  const [stats, setStats] = useState(null);
  const arrived = useRef(0);
  const first = state.data && !state.loading;
  // Before the first painting, or all below would move.
  useLayoutEffect(() => { if (state.data) setFeed({ rows: state.data.page.data, fresh: new Set() }); }, [state.data]);
  useEffect(() => {
    if (!state.data) return undefined;
    let known = state.data.stats.total_logs;
    const paint = painter((rows) => {
      arrived.current = 2;
      setFeed((f) => ({ rows: [...rows.slice(-room()).reverse(), ...f.rows].slice(0, room()), fresh: new Set(rows.slice(-room()).map((r) => r.id)) }));
    });
    const stop = follow({ onRows: paint.add, onStats: (n) => { if (n.total_logs !== known) { known = n.total_logs; arrived.current = 2; } setStats(n); }, onState: setLive });
    return () => { stop(); paint.stop(); };
  }, [!!state.data, params.range]);
  // Twice: the first answer may be one that the service keeps from before.
  useEvery(5000, () => { if (arrived.current) { arrived.current--; state.again(); } });
  const range = state.data ? state.data.range : params.range || 'day';
  const actions = html`<${LiveChip} state=${live} /><${Segments} label="Range" value=${range} options=${[['hour', 'Hour'], ['day', 'Day'], ['week', 'Week'], ['all', 'All']]} onChange=${(r) => go('/', { range: r })} />`;
  return html`<${Page} title="Overview" actions=${actions}>
    <${Loaded} state=${state} rows=${12} isEmpty=${(d) => !d.stats.total_logs && !feed.rows.length}
      empty=${html`No event was ever seen. Point decnet at a log with <code>--ingest</code>, send lines from a sensor, or start decoys with <code>--decoys</code>; the first event appears here by itself. <a href="/ingest">See what is being read</a>.`}>
    ${(d) => html`<${Counters} d=${d} s=${stats || d.stats} />
      <${Panel} title="Events over time" aside=${html`<span class="dim drag">Drag to look closer</span>`}>
        <${Histogram} data=${d.histogram} height=${170} onZoom=${(start, end) => go('/events', { start, end })} /><//>
      <div class="grid overview">
        <${Panel} kind="wide" title="Latest events" aside=${html`<a href="/events">All events</a>`}><${Feed} feed=${feed} live=${first} /><//>
        <${Panel} title="Top attackers" aside=${html`<a href="/attackers?sort_by=active">All</a>`}><${Bars} rows=${d.attackers} empty="Nobody in this range." /><//>
        <${Panel} title="Credentials tried" aside=${html`<a href="/credentials">All</a>`}><${Bars} rows=${d.credentials} empty="None in this range." /><//>
        <${Panel} title="Services"><${Bars} rows=${d.services} empty="None in this range." /><//>
        <${Panel} title="Decoys" aside=${html`<a href="/fleet">Fleet</a>`}><${Bars} rows=${d.deckies} empty="None in this range." /><//>
      </div>
      ${!d.exact && html`<p class="dim foot">There are too many attackers to look at each: one who did a lot in this range may be missing. The counts are right.</p>`}
      ${!d.timed && html`<p class="dim foot">Of some credentials it is not known when all attempts were: they may have more in this range.</p>`}`}
    <//><//>`;
}

function Counters({ d, s }) {
  const some = d.range !== 'all';
  const cells = [
    [some ? 'Events in range' : 'Events', number(some ? d.total : s.total_logs), some ? number(s.total_logs) + ' in all' : 'ever stored'],
    [some ? 'Attackers in range' : 'Attackers', some ? (d.seen == null ? '–' : number(d.seen)) : number(s.unique_attackers), some ? number(s.unique_attackers) + ' in all' : 'distinct addresses'],
    ['Decoys seen', number(s.active_deckies), 'sent events'],
    ['Decoys deployed', number(s.deployed_deckies), 'in the fleet'],
  ];
  return html`<dl class="counters">${cells.map(([name, n, note]) => html`<div><dt>${name}</dt><dd>${n}<small>${note}</small></dd></div>`)}</dl>`;
}

function Feed({ feed }) {
  if (!feed.rows.length) return html`<${Empty}>No events in this range. Choose a wider one above.<//>`;
  return html`<ol class=${'feed' + (feed.rows.some((r) => !isToday(r.timestamp)) ? ' dated' : '')} aria-label="Latest events">${feed.rows.map((r) => html`<li key=${r.id} class=${feed.fresh.has(r.id) ? 'fresh' : ''}>
    <a href=${'/events?open=' + r.id + '&' + new URLSearchParams({ search: word('attacker', r.attacker_ip) })}><${When} t=${r.timestamp} only="short" />
    <span class="mono who">${shown(r.attacker_ip, 40)}</span><${Tag} kind="service">${shown(r.service, 20)}<//><span class="what dim">${shown(r.event_type, 32)}</span><bdi class="mono say">${summary(r)}</bdi></a></li>`)}</ol>`;
}
