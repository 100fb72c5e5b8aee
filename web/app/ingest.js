// Where events come from, which lines gave none, and what a line would give.

import { html, useState } from './vendor/htm-preact.js';
import { get, ask } from './session.js';
import { go } from './router.js';
import { number, decimal, span, bytes, shown } from './text.js';
import { Page, Panel, Loaded, Failed, Table, Pager, When, Tag, Hostile, Copy, useLoad, useEvery } from './parts.js';

const states = { following: 'ok', connected: 'ok', reading: 'ok', done: '', idle: '', waiting: 'warn', failed: 'bad' };

export function Ingest({ params }) {
  const state = useLoad((signal) => get('/ingest/status', null, signal), []);
  useEvery(3000, state.again);
  return html`<${Page} title="Ingest">
    <${Loaded} state=${state} rows=${8}>${(d) => html`
      ${d.problem && html`<p class="failed" role="alert"><strong>Nothing can be stored at the moment.</strong> ${shown(d.problem, 400)}</p>`}
      <dl class="counters">${[['Lines read', d.lines], ['Events', d.accepted], ['Duplicates', d.duplicate], ['Rejected', d.rejected], ['Ignored on purpose', d.ignored]].map(([n, v]) => html`<div><dt>${n}</dt><dd>${number(v)}</dd></div>`)}</dl>
      <${Panel} title="Sources" aside=${html`<span class="dim">Last commit <${When} t=${d.last_commit} /></span>`}>${d.sources.length ? html`<${Table} label="Sources" heads=${['Source', 'State', 'Format', { name: 'Lines/s', num: true }, { name: 'Behind', num: true }, { name: 'Events', num: true }, { name: 'Rejected', num: true }, 'Last line']}>
        ${d.sources.map((s) => html`<tr key=${s.kind + s.name} tabindex="0"><td><bdi class="mono">${shown(s.name, 90)}</bdi> <${Tag}>${s.kind}<//>${s.problem && html`<div class="bad">${shown(s.problem, 300)}</div>`}</td><td><${Tag} kind=${states[s.state]}>${s.state}<//></td><td>${s.format || html`<span class="dim">–</span>`}</td><td class="num">${decimal(s.rate)}</td>
          <td class="num">${s.lag_bytes ? bytes(s.lag_bytes) + ', ' + span(s.lag_seconds) : 'nothing'}</td><td class="num">${number(s.accepted)}</td><td class="num">${s.rejected ? html`<a href=${'/ingest?source=' + encodeURIComponent(s.name)} title=${Object.entries(s.rejected_by).map((e) => e.join(': ')).join(', ')}>${number(s.rejected)}</a>` : '0'}</td><td><${When} t=${s.last_line} /></td></tr>`)}<//>`
        : html`<div class="empty"><p>Nothing is being read. Start decnet with <code>--ingest FILE</code>, or make a sensor in the settings and send lines to <code>/api/v1/ingest</code>.</p></div>`}<//>`}<//>
    ${(state.data || state.error) && html`<${Explain} /><${Rejects} params=${params} />`}<//>`;
}

function Explain() {
  const [line, set] = useState('');
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);
  const run = async (e) => {
    e.preventDefault();
    setError(null);
    try { setResult(await ask('POST', '/ingest/explain', { body: { line } })); } catch (x) { setResult(null); setError(x); }
  };
  return html`<${Panel} title="Explain a line"><form class="pad" onSubmit=${run}><label class="field"><span class="dim">Paste a line of a log: this tells what decnet makes of it, and stores nothing.</span>
    <textarea class="mono" rows="3" maxlength="65536" required spellcheck=${false} value=${line} onInput=${(e) => set(e.target.value)}></textarea></label><button class="primary">Explain</button></form>
    ${error && html`<${Failed} error=${error} />`}
    ${result && html`<div class="pad" role="status"><p>${result.reason ? html`<${Tag} kind="bad">rejected: ${result.reason}<//>` : result.ignored ? html`<${Tag}>ignored: ${shown(result.ignored, 80)}<//>` : html`<${Tag} kind="ok">${result.events.length === 1 ? 'one event' : result.events.length + ' events'}<//>`} ${result.format && html`<${Tag}>${result.format}<//>`}</p>
      ${result.detail && html`<p>${shown(result.detail, 500)}</p>`}${result.notes.map((n) => html`<p class="dim">${shown(n, 400)}</p>`)}
      ${result.events.map((ev) => html`<pre class="hostile" tabindex="0">${Object.entries(ev).map(([k, v]) => k.padEnd(14) + shown(v, 2000)).join('\n')}</pre>`)}</div>`}<//>`;
}

function Rejects({ params }) {
  const state = useLoad((signal) => get('/ingest/rejects', { source: params.source, reason: params.reason, limit: 50, offset: params.offset }, signal), [params.source, params.reason, params.offset]);
  const filtered = params.source || params.reason;
  return html`<${Panel} title="Rejected lines" aside=${filtered ? html`<bdi>${shown(filtered, 60)}</bdi> <a href="/ingest">Show all</a>` : null}>
    <${Loaded} state=${state} rows=${3} isEmpty=${(d) => !d.total} empty="Every line was understood.">${(d) => html`<${Table} label="Rejected lines" heads=${['Seen', 'Source', { name: 'At byte', num: true }, 'Reason', 'Line', '']}>
      ${d.data.map((r) => html`<tr key=${r.id} tabindex="0"><td><${When} t=${r.seen_at} /></td><td><bdi class="mono">${shown(r.source, 60)}</bdi></td><td class="num">${number(r.offset)}</td><td title=${shown(r.detail, 300)}><button class="link" onClick=${() => go('/ingest', { ...params, reason: r.reason, offset: '' })}>${r.reason}</button></td><td class="fill"><${Hostile} value=${r.line} max=${160} /> <small class="dim">${bytes(r.size)}</small></td><td><${Copy} text=${r.line} what="line" /></td></tr>`)}<//>
      <${Pager} page=${d} path="/ingest" params=${params} />`}<//><//>`;
}
