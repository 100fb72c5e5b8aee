// The decoys: what runs, and for an administrator how to change it.

import { html, useState } from './vendor/htm-preact.js';
import { get, ask, admin } from './session.js';
import { eventsLink } from './router.js';
import { number, interval, plural, shown, word } from './text.js';
import { Page, Loaded, Failed, Table, When, Tag, Dialog, useLoad, useEvery } from './parts.js';

const seconds = (s) => (s ? new Date(s * 1000).toISOString() : null);

export function Fleet() {
  const state = useLoad(async (signal) => {
    const [deckies, status] = await Promise.all([get('/deckies', null, signal), get('/fleet/status', null, signal).catch((e) => { if (e.name === 'AbortError') throw e; return { runs: false, problem: null, listeners: [] }; })]);
    return { deckies, status };
  }, []);
  const [dialog, setDialog] = useState(null);
  const [said, say] = useState('');
  useEvery(5000, state.again);
  const done = (message) => { setDialog(null); say(message); state.again(); setTimeout(() => say(''), 6000); };
  return html`<${Page} title="Fleet" actions=${admin() && html`<button class="primary" onClick=${() => setDialog({ kind: 'deploy' })}>Deploy</button>`}>
    <p class="said" role="status">${said}</p>
    <${Loaded} state=${state} rows=${6} isEmpty=${(d) => !d.deckies.length} empty=${admin() ? 'No decoy is deployed. Press Deploy and paste an INI text; the dry run shows what it would do.' : 'No decoy is deployed. An administrator can deploy some.'}>${({ deckies, status }) => html`
      ${status.problem && html`<p class="failed" role="alert">${shown(status.problem, 400)}</p>`}
      ${!status.runs && html`<p class="dim note">This service runs no decoys itself; it shows the fleet that is kept in the state file.</p>`}
      <div class="cards">${deckies.map((d) => html`<${Decky} key=${d.name} d=${d} ports=${status.listeners.filter((l) => l.decky === d.name)} open=${setDialog} />`)}</div>`}<//>
    ${dialog?.kind === 'deploy' && html`<${Deploy} onClose=${() => setDialog(null)} onDone=${done} />`}
    ${dialog?.kind === 'interval' && html`<${Interval} d=${dialog.d} onClose=${() => setDialog(null)} onDone=${done} />`}
    ${dialog?.kind === 'sure' && html`<${Sure} ...${dialog} onClose=${() => setDialog(null)} onDone=${done} />`}<//>`;
}

function Decky({ d, ports, open }) {
  const plain = /^[a-z0-9-]{1,64}$/.test(d.name);
  const busy = ports.reduce((n, p) => n + p.open, 0);
  return html`<section class="panel card"><header><h2><bdi>${shown(d.name, 60)}</bdi></h2><span class="aside mono">${d.ip}</span></header>
    <dl class="facts pad"><dt>Services</dt><dd>${d.services.map((s) => { const l = ports.find((p) => p.service === s); return html`<${Tag} kind=${'service ' + (!l ? '' : l.state === 'running' ? 'up' : 'down')}><span title=${l ? `${l.address}: ${l.state}${l.error ? ', ' + shown(l.error, 200) : ''}, ${number(l.total)} connections` : ''}>${shown(s, 24)}${l && html`<small>${/:\d+$/.exec(l.address)?.[0]}</small>`}</span><//> `; })}</dd>
      ${ports.filter((p) => p.error).map((p) => html`<dt class="bad">${shown(p.service, 24)}</dt><dd class="bad">${shown(p.error, 200)}</dd>`)}
      <dt>Looks like</dt><dd>${shown(d.archetype || d.distro, 40)}</dd><dt>Host name</dt><dd>${shown(d.hostname, 60)}</dd><dt>Mutates</dt><dd>${interval(d.mutate_interval)}${d.last_mutated > 0 && html` <span class="dim">last <${When} t=${seconds(d.last_mutated)} /></span>`}</dd>
      <dt>Last login</dt><dd><${When} t=${seconds(d.last_login_attempt)} /></dd>${ports.length > 0 && html`<dt>Connections</dt><dd>${number(busy)} open, ${number(ports.reduce((n, p) => n + p.total, 0))} ever</dd>`}</dl>
    <footer><a href=${eventsLink(word('decky', d.name))}>Events</a>${admin() && html`${plain && html`<button class="quiet" onClick=${() => open({ kind: 'sure', title: 'Mutate ' + d.name, text: 'The decoy gets other services, chosen at random. Open connections are drained.', word: 'Mutate', run: () => ask('POST', `/deckies/${d.name}/mutate`) })}>Mutate</button>
      <button class="quiet" onClick=${() => open({ kind: 'interval', d })}>Interval</button>`}<button class="quiet danger" onClick=${() => open({ kind: 'sure', title: 'Remove ' + d.name, text: 'The decoy stops and leaves the fleet. Its events stay.', word: 'Remove', danger: true, run: () => ask('DELETE', '/deckies/' + encodeURIComponent(d.name)) })}>Remove</button>`}</footer></section>`;
}

export function Sure({ title, text, word: verb, danger, run, onClose, onDone }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try { const r = await run(); onDone(r.message + (r.services ? ': ' + r.services.join(', ') : '')); } catch (e) { setError(e); setBusy(false); }
  };
  return html`<${Dialog} title=${shown(title, 80)} onClose=${onClose}><p>${text}</p>${error && html`<${Failed} error=${error} />`}<div class="buttons"><button onClick=${onClose}>Cancel</button><button class=${danger ? 'primary danger' : 'primary'} disabled=${busy} onClick=${go}>${verb}</button></div><//>`;
}

function Interval({ d, onClose, onDone }) {
  const [error, setError] = useState(null);
  const save = async (e) => {
    e.preventDefault();
    const v = new FormData(e.target).get('v').trim();
    try { onDone((await ask('PUT', `/deckies/${d.name}/mutate-interval`, { body: { mutate_interval: v || null } })).message); } catch (x) { setError(x); }
  };
  return html`<${Dialog} title=${'Interval of ' + d.name} onClose=${onClose}><form onSubmit=${save}><label class="field"><span>How often it mutates</span><input name="v" pattern="[1-9][0-9]*[mdMyY]" maxlength="10" placeholder="90m, 7d, 1M; empty: as the fleet" value=${d.mutate_interval ? d.mutate_interval + 'm' : ''} /></label>${error && html`<${Failed} error=${error} />`}<div class="buttons"><button type="button" onClick=${onClose}>Cancel</button><button class="primary">Save</button></div></form><//>`;
}

const example = '[web-01]\narchetype = web-server\n\n[bastion]\nservices = ssh,telnet\nmutate_interval = 1440\n';

function Deploy({ onClose, onDone }) {
  const [text, set] = useState(example);
  const [replace, setReplace] = useState(false);
  const [plan, setPlan] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const send = async (dry) => {
    setBusy(true);
    setError(null);
    try {
      const r = await ask('POST', '/deckies/deploy', { params: { dry_run: dry ? 'true' : '', replace: replace ? 'true' : '' }, body: { ini_content: text } });
      if (dry) setPlan(r); else onDone(r.message);
    } catch (e) { setPlan(null); setError(e); }
    setBusy(false);
  };
  const edited = (f) => (e) => { setPlan(null); f(e); };
  return html`<${Dialog} title="Deploy decoys" kind="broad" onClose=${onClose}>
    <label class="field"><span>INI text: a section for each decoy, <code>[name.service]</code> for settings of a service</span><textarea data-ini class="mono" rows="12" maxlength="524288" spellcheck=${false} value=${text} onInput=${edited((e) => set(e.target.value))}></textarea></label>
    <label class="check"><input type="checkbox" checked=${replace} onChange=${edited((e) => setReplace(e.target.checked))} /> Take away the decoys that the text does not name</label>
    <label class="file">Or read a file <input type="file" accept=".ini,text/plain" onChange=${async (e) => { const f = e.target.files[0]; if (f) { set(await f.text()); setPlan(null); } }} /></label>
    ${error && html`<${Failed} error=${error} />`}
    ${plan && html`<div role="status"><p><strong>${plural(plan.deckies.length, 'decoy')}</strong> would be deployed${plan.removed.length ? ', ' + plan.removed.map((n) => shown(n, 60)).join(', ') + ' removed' : ''}.</p>
      <${Table} label="Plan" heads=${['Name', 'Address', 'Services', 'Looks like', 'Mutates']}>${plan.deckies.map((d) => html`<tr><td>${shown(d.name, 60)}</td><td class="mono">${d.ip}</td><td>${d.services.join(', ')}</td><td>${shown(d.archetype || d.distro, 40)}</td><td>${interval(d.mutate_interval)}</td></tr>`)}<//>
      ${plan.ignored.map((i) => html`<p class="dim">${shown(i, 300)}</p>`)}</div>`}
    <div class="buttons"><button onClick=${onClose}>Cancel</button><button disabled=${busy} onClick=${() => send(true)}>Dry run</button><button class="primary" disabled=${busy || !plan} title=${plan ? '' : 'See the dry run first'} onClick=${() => send(false)}>Deploy</button></div><//>`;
}
