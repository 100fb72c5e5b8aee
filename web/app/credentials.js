// What attackers tried to get in with, and what they left behind.

import { html } from './vendor/htm-preact.js';
import { get } from './session.js';
import { go, eventsLink } from './router.js';
import { number, shown, word } from './text.js';
import { Page, Loaded, Table, Pager, SearchBox, Segments, When, Tag, Address, Hostile, Copy, useLoad } from './parts.js';

export function Credentials({ params }) {
  const sort = params.sort_by || 'attempts';
  const state = useLoad((signal) => get('/credentials', { search: params.search, service: params.service, sort_by: sort, limit: 100, offset: params.offset }, signal), [params.search, params.service, sort, params.offset]);
  return html`<${Page} title="Credentials">
    <div class="toolbar"><${SearchBox} label="Search credentials" placeholder="In user name or password  ( / )" path="/credentials" params=${params} /><${SearchBox} label="Service" name="service" path="/credentials" params=${params} />
      <${Segments} label="Order" value=${sort} options=${[['attempts', 'Most tried'], ['attackers', 'By most attackers'], ['recent', 'Latest']]} onChange=${(sort_by) => go('/credentials', { ...params, sort_by, offset: '' })} /></div>
    <${Loaded} state=${state} rows=${12} isEmpty=${(d) => !d.total} empty=${params.search || params.service ? 'No pair matches. Shorten the search, or clear the service.' : 'Nobody tried to sign in yet.'}>
    ${(d) => html`<${Table} label="Credentials" heads=${['User', 'Password', { name: 'Attempts', num: true }, { name: 'Attackers', num: true }, 'Services', 'First tried', 'Last tried', '']}>
      ${d.data.map((c) => html`<tr key=${c.id} tabindex="0"><td><${Hostile} value=${c.username} max=${120} /></td><td><${Hostile} value=${c.password} max=${160} /><${Copy} text=${c.password} what="password" /></td><td class="num">${number(c.attempts)}</td><td class="num">${number(c.attackers)}</td>
        <td>${c.services.slice(0, 5).map((s) => html`<${Tag} kind="service">${shown(s, 24)}<//> `)}</td><td><${When} t=${c.first_seen} /></td><td><${When} t=${c.last_seen} /></td>
        <td>${c.username.length + c.password.length < 300 && html`<a href=${eventsLink(word('username', c.username) + ' ' + word('password', c.password))}>Events</a>`}</td></tr>`)}<//>
      <${Pager} page=${d} path="/credentials" params=${params} />`}<//><//>`;
}

export function Bounty({ params }) {
  const type = params.type || '';
  const state = useLoad((signal) => get('/bounty', { bounty_type: type, search: params.search, limit: 100, offset: params.offset }, signal), [type, params.search, params.offset]);
  return html`<${Page} title="Bounty" note="Each thing once for each attacker.">
    <div class="toolbar"><${SearchBox} label="Search bounty" placeholder="In address, decoy, service or payload  ( / )" path="/bounty" params=${params} />
      <${Segments} label="Type" value=${type} options=${[['', 'All'], ['credential', 'Credentials'], ['fingerprint', 'Fingerprints'], ['payload', 'Payloads']]} onChange=${(t) => go('/bounty', { ...params, type: t, offset: '' })} /></div>
    <${Loaded} state=${state} rows=${12} isEmpty=${(d) => !d.total} empty=${params.search || type ? 'Nothing matches. Choose another type, or shorten the search.' : 'Nothing was gathered yet.'}>
    ${(d) => html`<${Table} label="Bounty" heads=${['First seen', 'Type', 'Attacker', 'Decoy', 'Service', 'What', '']}>
      ${d.data.map((b) => html`<tr key=${b.id} tabindex="0"><td><${When} t=${b.timestamp} /></td><td><${Tag} kind=${'b-' + b.bounty_type}>${b.bounty_type}<//></td><td><${Address} ip=${b.attacker_ip} /></td><td class="name">${shown(b.decky, 40)}</td><td><${Tag} kind="service">${shown(b.service, 24)}<//></td>
        <td class="fill"><${Payload} p=${b.payload} /></td><td><${Copy} text=${JSON.stringify(b.payload)} what="payload" /></td></tr>`)}<//>
      <${Pager} page=${d} path="/bounty" params=${params} />`}<//><//>`;
}

// What one looks for first comes first.
const order = ['username', 'password', 'fingerprint_type', 'value', 'hash', 'sha256', 'filename', 'url', 'size'];
const place = (k) => (order.indexOf(k) + 1) || 99;

const Payload = ({ p }) => html`<span class="pairs">${Object.entries(p).sort((a, b) => place(a[0]) - place(b[0])).slice(0, 8).map(([k, v]) => html`<span><small class="dim">${shown(k, 40)}</small> <${Hostile} value=${typeof v === 'object' ? JSON.stringify(v) : String(v)} max=${140} /></span>`)}</span>`;
