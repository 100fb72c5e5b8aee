// How the service is doing.

import { html } from './vendor/htm-preact.js';
import { get } from './session.js';
import { shown } from './text.js';
import { Page, Loaded, Tag, useLoad, useEvery } from './parts.js';

const words = { healthy: 'Everything works.', degraded: 'Something does not work, but events are stored and can be read.', unhealthy: 'Something essential does not work.' };
const about = { database: 'Events, attackers and settings', ingestion_worker: 'Reads logs and stores events', attacker_worker: 'Keeps the profiles', collector_worker: 'Collects the logs of decoys', docker: 'Runs decoys as containers', fleet: 'The state file of the fleet', decoys: 'The decoys of this process' };

export function Health() {
  const state = useLoad((signal) => get('/health', null, signal), []);
  useEvery(3000, state.again);
  return html`<${Page} title="Health"><${Loaded} state=${state} rows=${4}>${(d) => html`
    <p class=${'banner ' + d.status} role="status"><strong>${d.status}</strong> ${words[d.status]}</p>
    <div class="cards">${Object.entries(d.components).sort().map(([name, c]) => html`<section class="panel card" key=${name}><header><h2>${shown(name, 40).replaceAll('_', ' ')}</h2><div class="aside"><${Tag} kind=${c.status === 'ok' ? 'ok' : 'bad'}>${c.status}<//></div></header>
      <p class="pad">${c.detail ? shown(c.detail, 400) : html`<span class="dim">${about[name] || 'works'}</span>`}</p></section>`)}</div>
    <p class="dim foot">For machines: <code>/healthz</code>, <code>/readyz</code>, <code>/metrics</code>. The API is described at <a href="/docs" data-plain>/docs</a>.</p>`}<//><//>`;
}
