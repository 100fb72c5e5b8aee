// Who was seen: the list, and everything about one.

import { html, useState } from './vendor/htm-preact.js';
import { get } from './session.js';
import { buckets, css, Histogram, zoomOf } from './chart.js';
import { go, eventsLink } from './router.js';
import { number, decimal, span, shown, word, plural, fieldsOf, bytes } from './text.js';
import { Page, Panel, Loaded, Empty, Skeleton, Table, Pager, SearchBox, Segments, When, Tag, Address, Hostile, Copy, useLoad, useEvery } from './parts.js';

const classes = {
  beaconing: 'comes back at a steady beat', interactive: 'quick and uneven: a person who types, or bursts with pauses', scanning: 'touches many things quickly', brute_force: 'tries the same thing again and again',
  slow_scan: 'scans slowly, to stay unseen', mixed: 'no single pattern', unknown: 'too few events to tell',
};
const Class = ({ name }) => (name ? html`<${Tag} kind=${'class-' + name}><span title=${classes[name] || ''}>${name.replace('_', ' ')}</span><//>` : html`<span class="dim">–</span>`);

// An address of which only the number is known leads to its attacker.
function Lookup({ ip }) {
  const state = useLoad(async (signal) => {
    const found = (await get('/attackers', { search: ip, limit: 100 }, signal)).data.find((a) => a.ip === ip);
    if (found) go('/attackers/' + found.uuid, {}, true);
    return { found };
  }, [ip]);
  return html`<${Page} title=${shown(ip, 60)}><${Loaded} state=${state} rows=${14} isEmpty=${(d) => !d.found} empty=${html`No attacker has the address <bdi class="mono">${shown(ip, 60)}</bdi>: its events may have expired. <a href="/attackers">Show all attackers</a>.`}>${() => html`<${Skeleton} rows=${14} />`}<//><//>`;
}

export const Attackers = ({ params }) => (params.ip ? html`<${Lookup} ip=${params.ip} />` : html`<${List} params=${params} />`);

function List({ params }) {
  const ask = { search: params.search, sort_by: params.sort_by || 'recent', service: params.service, limit: 50, offset: params.offset };
  const state = useLoad((signal) => get('/attackers', ask, signal), [params.search, params.sort_by, params.service, params.offset]);
  useEvery(15000, state.again);
  const put = (next) => go('/attackers', { ...params, offset: '', ...next });
  return html`<${Page} title="Attackers">
    <div class="toolbar"><${SearchBox} label="Search attackers" placeholder="Address, service, decoy or behaviour  ( / )" path="/attackers" params=${params} />
      <${SearchBox} label="Service" name="service" path="/attackers" params=${params} /><${Segments} label="Order" value=${ask.sort_by} options=${[['recent', 'Latest'], ['active', 'Most active'], ['traversals', 'Most decoys']]} onChange=${(sort_by) => put({ sort_by })} /></div>
    <${Loaded} state=${state} rows=${12} isEmpty=${(d) => !d.total} empty=${params.search || params.service ? 'Nobody matches. Shorten the search, or clear the service.' : 'Nobody was seen yet. Attackers appear with the first events.'}>
    ${(d) => html`<${Table} label="Attackers" heads=${['Address', 'Behaviour', { name: 'Events', num: true }, { name: 'Credentials', num: true }, 'Services', 'Path', 'First seen', 'Last seen']}>
      ${d.data.map((a) => html`<tr key=${a.uuid} tabindex="0">
        <td><${Address} ip=${a.ip} uuid=${a.uuid} />${a.address_scope !== 'public' && html` <${Tag}>${a.address_scope}<//>`}</td><td><${Class} name=${a.behavior?.behavior_class} /></td><td class="num">${number(a.event_count)}</td><td class="num">${number(a.credential_count)}</td>
        <td class="tags">${a.services.slice(0, 4).map((s) => html`<${Tag} kind="service">${shown(s, 24)}<//> `)}${a.services.length > 4 && html`<span class="dim">+${a.services.length - 4}</span>`}</td>
        <td><bdi class="path">${shown(a.deckies.slice(0, 4).join(' → '), 90)}${a.deckies.length > 4 ? ` +${a.deckies.length - 4}` : ''}</bdi></td><td><${When} t=${a.first_seen} /></td><td><${When} t=${a.last_seen} /></td></tr>`)}<//>
      <${Pager} page=${d} path="/attackers" params=${params} />`}<//><//>`;
}

async function everything(uuid, signal) {
  const a = await get('/attackers/' + uuid, null, signal);
  const search = word('attacker', a.ip);
  const [histogram, events, loot] = await Promise.all([
    buckets({ search }, signal), get('/logs', { search, limit: 1000 }, signal), get('/bounty', { search: a.ip, limit: 1000 }, signal)]);
  const mine = loot.data.filter((b) => b.attacker_ip === a.ip);
  return { a, search, histogram, events, of: (type) => mine.filter((b) => b.bounty_type === type) };
}

export function Attacker({ uuid }) {
  const state = useLoad((signal) => everything(uuid, signal), [uuid]);
  const title = state.data ? state.data.a.ip : 'Attacker';
  return html`<${Page} title=${shown(title, 60)} actions=${state.data && html`<${Copy} text=${title} what="address" /><a class="button" href=${eventsLink(state.data.search)}>All events</a>`}>
    <${Loaded} state=${state} rows=${14}>${(d) => html`<${Profile} d=${d} />`}<//><//>`;
}

function Profile({ d }) {
  const { a } = d, b = a.behavior;
  const cells = [['Events', number(a.event_count)], ['Decoys', number(a.decky_count)], ['Services', number(a.service_count)], ['Credentials', number(a.credential_count)], ['Bounties', number(a.bounty_count)]];
  const tries = d.of('credential'), files = d.of('payload'), prints = d.of('fingerprint');
  return html`<dl class="counters">${cells.map(([n, v]) => html`<div><dt>${n}</dt><dd>${v}</dd></div>`)}</dl>
    <${Panel} title="Timeline" aside=${html`<span class="dim"><${When} t=${a.first_seen} /> – <${When} t=${a.last_seen} /></span>`}><${Histogram} data=${d.histogram} height=${120} onZoom=${(start, end) => go('/events', { search: d.search, start, end })} label=${'Events of ' + a.ip} /><//>
    <${Panel} title="Path through the decoys" aside=${html`<span class="dim">in the order of first contact${a.deckies.length > 1 && a.event_count > d.events.data.length ? '; counts of the latest ' + plural(d.events.data.length, 'event') : ''}</span>`}><${Path} deckies=${a.deckies} events=${d.events.data} all=${a.event_count} /><//>
    <div class="grid two">
      <${Panel} title="Behaviour">${b ? html`<${Behaviour} b=${b} />` : html`<${Empty}>Too little is known of this attacker yet.<//>`}<//>
      <${Panel} title="Sessions" kind="beside" aside=${html`<span class="dim">of the latest ${plural(d.events.data.length, 'event')}</span>`}><${Sessions} events=${d.events.data} /><//>
      <${Panel} title="Commands" kind="wide"><${Commands} uuid=${a.uuid} /><//>
      <${Panel} title="Credentials tried" aside=${html`<span class="dim">${number(a.credential_count)}</span>`}>${tries.length ? html`<${Table} label="Credentials" heads=${['User', 'Password', 'Service', 'First tried']}>${tries.slice(0, 200).map((c) => html`<tr key=${c.id}><td><${Hostile} value=${c.payload.username} max=${80} /></td><td><${Hostile} value=${c.payload.password} max=${120} /></td><td>${shown(c.service, 20)}</td><td><${When} t=${c.timestamp} /></td></tr>`)}<//>` : html`<${Empty}>None was tried.<//>`}<//>
      <${Panel} title="Fingerprints and tools">${b && b.tool_guesses.length > 0 && html`<p class="pad">${b.tool_guesses.map((t) => html`<${Tag} kind="warn">${shown(t, 30)}<//> `)}</p>`}
        ${prints.length ? html`<dl class="lines">${prints.slice(0, 50).map((p) => html`<div><dt>${shown(p.payload.fingerprint_type, 40)}</dt><dd><bdi class="mono">${shown(rest(p.payload), 300)}</bdi><span class="tools"><${Copy} text=${rest(p.payload)} what="fingerprint" /></span></dd></div>`)}</dl>` : html`<${Empty}>No fingerprint was taken.<//>`}<//>
      <${Panel} title="Payloads" kind="wide">${files.length ? html`<${Table} label="Payloads" heads=${['Source', 'File', 'SHA-256', { name: 'Size', num: true }, 'First seen']}>${files.map((f) => html`<tr key=${f.id}><td><${Hostile} value=${f.payload.url} max=${200} empty="–" /></td><td><${Hostile} value=${f.payload.filename} max=${120} empty="–" /></td><td><${Hostile} value=${f.payload.sha256} max=${64} empty="–" />${f.payload.sha256 && html`<${Copy} text=${String(f.payload.sha256)} what="hash" />`}</td><td class="num">${f.payload.size > 0 ? bytes(Number(f.payload.size)) : '–'}</td><td><${When} t=${f.timestamp} /></td></tr>`)}<//>` : html`<${Empty}>No file was fetched or dropped.<//>`}<//>
    </div>`;
}

const rest = ({ fingerprint_type, ...others }) => (Object.keys(others).length === 1 ? String(Object.values(others)[0]) : Object.entries(others).map(([k, v]) => k + '=' + (typeof v === 'object' ? JSON.stringify(v) : v)).join('  '));

const gap = 150;

// label is as much of a name as there is room for beside its neighbours.
function label(name) {
  const ruler = document.createElement('canvas').getContext('2d');
  ruler.font = '12px ' + css('--sans');
  let s = shown(name, 40);
  const fits = () => ruler.measureText(s).width < gap - 12;
  while (s.length > 1 && !fits()) s = s.slice(0, -2).trimEnd() + '…';
  return s;
}

// Path draws the decoys in the order of first contact, the size by events.
function Path({ deckies, events, all }) {
  const n = new Map();
  for (const e of events) n.set(e.decky, (n.get(e.decky) || 0) + 1);
  if (deckies.length === 1) n.set(deckies[0], all);
  const shownOnes = deckies.slice(0, 12), scale = zoomOf(), most = Math.max(1, ...n.values());
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Path"><svg class="trail" role="img" aria-label=${'First contact in this order: ' + deckies.map((x) => shown(x, 60)).join(', ')} width=${(shownOnes.length * gap + 20) * scale} height=${92 * scale} viewBox=${`0 0 ${shownOnes.length * gap + 20} 92`}>
    ${shownOnes.map((name, i) => html`<g key=${name}>${i > 0 && html`<path d=${`M${(i - 1) * gap + 75 + 22} 34 H${i * gap + 75 - 25}`} marker-end="url(#tip)" />`}
      <circle cx=${i * gap + 75} cy="34" r=${8 + 11 * Math.sqrt((n.get(name) || 0) / most)} /><text x=${i * gap + 75} y="38" class="n">${i + 1}</text><text x=${i * gap + 75} y="72">${label(name)}</text><text x=${i * gap + 75} y="86" class="dim">${plural(n.get(name) || 0, 'event')}</text></g>`)}
    <defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8z" /></marker></defs></svg>${deckies.length > 12 && html`<p class="dim">and ${deckies.length - 12} more</p>`}</div>`;
}

function Behaviour({ b }) {
  const t = b.timing_stats, p = b.phase_sequence;
  const facts = [['Class', html`<${Class} name=${b.behavior_class} /> <span class="dim">${classes[b.behavior_class]}</span>`], ['System', b.os_guess || 'not known'], ['Hops away', b.hop_distance ?? 'not known'], ['Retransmissions', number(b.retransmit_count)],
    b.beacon_interval_s != null && ['Beat', `${span(b.beacon_interval_s)}, jitter ${decimal(b.beacon_jitter_pct)} %`], ['Between events', `${span(t.median_iat_s)} median, ${span(t.mean_iat_s)} mean, ${span(t.min_iat_s)} – ${span(t.max_iat_s)}`],
    ['Spread', t.cv == null ? '–' : decimal(t.cv) + ' (deviation by mean)'], ['Active for', span(t.duration_s)], p.recon_end_ts && ['Looking around until', html`<${When} t=${p.recon_end_ts} />`], p.exfil_start_ts && ['Moving data from', html`<${When} t=${p.exfil_start_ts} />`],
    p.large_payload_count > 0 && ['Large transfers', number(p.large_payload_count)], Object.keys(b.tcp_fingerprint).length > 0 && ['TCP', html`<bdi class="mono">${shown(Object.entries(b.tcp_fingerprint).map((e) => e.join('=')).join('  '), 300)}</bdi>`]].filter(Boolean);
  return html`<dl class="facts pad">${facts.map(([k, v]) => html`<dt>${k}</dt><dd>${v}</dd>`)}</dl>`;
}

function Sessions({ events }) {
  const by = new Map();
  for (const e of events) {
    const f = fieldsOf(e), id = f.session ?? f.session_id ?? f.conn_id;
    if (id == null) continue;
    const key = JSON.stringify([f.session != null ? 'session' : f.session_id != null ? 'session_id' : 'conn_id', String(id)]);
    const s = by.get(key) || { n: 0, from: e.timestamp, to: e.timestamp, decky: e.decky, service: e.service };
    s.n++;
    if (e.timestamp < s.from) s.from = e.timestamp;
    if (e.timestamp > s.to) s.to = e.timestamp;
    by.set(key, s);
  }
  if (!by.size) return html`<${Empty}>The events name no session.<//>`;
  return html`<${Table} label="Sessions" heads=${['Session', 'Decoy', 'Begin', { name: 'Length', num: true }, { name: 'Events', num: true }]}>${[...by].slice(0, 100).map(([key, s]) => { const [k, id] = JSON.parse(key); return html`<tr key=${key}><td><a class="mono" href=${eventsLink(word(k, id))}>${shown(id, 24)}</a></td><td>${shown(s.decky, 40)} <${Tag} kind="service">${shown(s.service, 20)}<//></td><td><${When} t=${s.from} /></td><td class="num">${span((Date.parse(s.to) - Date.parse(s.from)) / 1000)}</td><td class="num">${number(s.n)}</td></tr>`; })}<//>`;
}

function Commands({ uuid }) {
  const [offset, set] = useState(0);
  const state = useLoad((signal) => get(`/attackers/${uuid}/commands`, { limit: 100, offset }, signal), [uuid, offset]);
  return html`<${Loaded} state=${state} rows=${4} isEmpty=${(d) => !d.total} empty="No command was run.">${(d) => html`<ol class="commands" start=${offset + 1}>${d.data.map((c, i) => html`<li key=${i}><${When} t=${c.timestamp} only="clock" /><span class="dim">${shown(c.decky, 24)}</span><code><bdi>${shown(c.command, 2000)}</bdi></code><${Copy} text=${c.command} what="command" /></li>`)}</ol>
    ${d.total > 100 && html`<nav class="pager" aria-label="Commands"><button disabled=${!offset} onClick=${() => set(offset - 100)}>Earlier</button><span class="dim">${number(offset + 1)}–${number(offset + d.data.length)} of ${number(d.total)}</span><button disabled=${offset + 100 >= d.total} onClick=${() => set(offset + 100)}>Later</button></nav>`}`}<//>`;
}
