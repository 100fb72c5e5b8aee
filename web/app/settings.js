// Limits for everyone to see; for an administrator also users and sensors.

import { html, useState } from './vendor/htm-preact.js';
import { get, ask, admin, session } from './session.js';
import { number, shown } from './text.js';
import { Page, Panel, Loaded, Failed, Empty, Table, When, Tag, Dialog, Copy, useLoad } from './parts.js';
import { Sure } from './fleet.js';

export function Settings() {
  const state = useLoad(async (signal) => ({ config: await get('/config', null, signal), sensors: admin() ? await get('/sensors', null, signal) : null }), []);
  const [dialog, setDialog] = useState(null);
  const [said, say] = useState('');
  const done = (message) => { setDialog(null); say(message); state.again(); setTimeout(() => say(''), 6000); };
  const close = () => setDialog(null);
  return html`<${Page} title="Settings"><p class="said" role="status">${said}</p>
    <${Loaded} state=${state} rows=${8}>${({ config, sensors }) => html`
      <${Panel} title="Limits">${config.role === 'admin' ? html`<div class="forms pad">
        <${Setting} label="Decoys that may be deployed" type="number" min="1" max="500" value=${config.deployment_limit} save=${(v) => ask('PUT', '/config/deployment-limit', { body: { deployment_limit: Number(v) } })} done=${done} />
        <${Setting} label="How often decoys mutate" hint="30m, 7d, 1M, 1y" pattern="[1-9][0-9]*[mdMyY]" maxlength="10" value=${config.global_mutation_interval} save=${(v) => ask('PUT', '/config/global-mutation-interval', { body: { global_mutation_interval: v } })} done=${done} /></div>`
        : html`<dl class="facts pad"><dt>Decoys that may be deployed</dt><dd>${number(config.deployment_limit)}</dd><dt>How often decoys mutate</dt><dd>${config.global_mutation_interval}</dd><dt>Your role</dt><dd>${config.role}</dd></dl>`}<//>
      ${config.users && html`<${Users} users=${config.users} open=${setDialog} />`}
      ${sensors && html`<${Sensors} sensors=${sensors} open=${setDialog} />`}
      ${config.developer_mode && html`<${Panel} title="Developer mode"><p class="pad">All events, bounties and attackers can be deleted. <button class="danger" onClick=${() => setDialog({ kind: 'sure', title: 'Delete all events', text: 'Events, bounties and attackers are deleted for good. Users and settings stay.', word: 'Delete everything', danger: true, run: () => ask('DELETE', '/config/reinit') })}>Delete all events</button></p><//>`}
      ${config.role !== 'admin' && html`<p class="dim">Users and sensors are for administrators.</p>`}`}<//>
    ${dialog?.kind === 'sure' && html`<${Sure} ...${dialog} onClose=${close} onDone=${done} />`}
    ${dialog?.kind === 'user' && html`<${NewUser} onClose=${close} onDone=${done} />`}
    ${dialog?.kind === 'password' && html`<${Password} user=${dialog.user} onClose=${close} onDone=${done} />`}
    ${dialog?.kind === 'sensor' && html`<${NewSensor} onClose=${() => { close(); state.again(); }} />`}<//>`;
}

function Setting({ label, hint, save, done, ...rest }) {
  const [error, setError] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    setError(null);
    try { done((await save(new FormData(e.target).get('v'))).message); } catch (x) { setError(x); }
  };
  return html`<form onSubmit=${submit}><label class="field"><span>${label} ${hint && html`<small class="dim">${hint}</small>`}</span><span class="row-of"><input name="v" required ...${rest} /><button>Save</button></span></label>${error && html`<${Failed} error=${error} />`}</form>`;
}

function Users({ users, open }) {
  return html`<${Panel} title="Users" aside=${html`<button onClick=${() => open({ kind: 'user' })}>New user</button>`}><${Table} label="Users" heads=${['Name', 'Role', 'Password', '']}>
    ${users.map((u) => { const self = u.username === session().username, other = u.role === 'admin' ? 'viewer' : 'admin'; return html`<tr key=${u.uuid}><td><bdi>${shown(u.username, 64)}</bdi>${self && html` <span class="dim">you</span>`}</td><td><${Tag} kind=${u.role === 'admin' ? 'warn' : ''}>${u.role}<//></td><td>${u.must_change_password ? 'must be changed' : html`<span class="dim">own</span>`}</td>
      <td class="acts">${!self && html`<button class="quiet" onClick=${() => open({ kind: 'sure', title: `Make ${u.username} ${other}`, text: 'The user must sign in again.', word: 'Change the role', run: () => ask('PUT', `/config/users/${u.uuid}/role`, { body: { role: other } }) })}>Make ${other}</button>
        <button class="quiet" onClick=${() => open({ kind: 'password', user: u })}>Reset password</button><button class="quiet danger" onClick=${() => open({ kind: 'sure', title: 'Delete ' + u.username, text: 'The user’s tokens stop working at once.', word: 'Delete', danger: true, run: () => ask('DELETE', '/config/users/' + u.uuid) })}>Delete</button>`}</td></tr>`; })}<//><//>`;
}

function Sensors({ sensors, open }) {
  return html`<${Panel} title="Sensors" aside=${html`<button onClick=${() => open({ kind: 'sensor' })}>New sensor</button>`}>${sensors.length ? html`<${Table} label="Sensors" heads=${['Name', 'Last seen', { name: 'Events', num: true }, { name: 'Duplicates', num: true }, { name: 'Rejected', num: true }, 'Made', '']}>
    ${sensors.map((s) => html`<tr key=${s.uuid}><td><bdi>${shown(s.name, 80)}</bdi></td><td><${When} t=${s.last_seen} /></td><td class="num">${number(s.accepted)}</td><td class="num">${number(s.duplicate)}</td><td class="num">${number(s.rejected)}</td><td><${When} t=${s.created_at} /></td>
      <td class="acts"><button class="quiet danger" onClick=${() => open({ kind: 'sure', title: 'Delete ' + s.name, text: 'Its token stops working at once; its events stay.', word: 'Delete', danger: true, run: () => ask('DELETE', '/sensors/' + s.uuid) })}>Delete</button></td></tr>`)}<//>` : html`<${Empty}>A sensor sends events from elsewhere. Make one, and give its token to it.<//>`}<//>`;
}

// Ask is a dialog with a form; run(values) gives the message.
function Ask({ title, button, run, onClose, onDone, children }) {
  const [error, setError] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    setError(null);
    try { onDone(await run(Object.fromEntries(new FormData(e.target)))); } catch (x) { setError(x); }
  };
  return html`<${Dialog} title=${shown(title, 90)} onClose=${onClose}><form onSubmit=${submit}>${children}${error && html`<${Failed} error=${error} />`}<div class="buttons"><button type="button" onClick=${onClose}>Cancel</button><button class="primary">${button}</button></div></form><//>`;
}

const NewUser = (p) => html`<${Ask} title="New user" button="Create" run=${async (f) => { await ask('POST', '/config/users', { body: f }); return f.username + ' was created and must change the password at the first sign-in'; }} ...${p}>
  <label class="field"><span>User name</span><input name="username" required maxlength="64" autocomplete="off" autocapitalize="none" /></label><label class="field"><span>First password</span><input name="password" type="password" required minlength="8" maxlength="72" autocomplete="new-password" /></label>
  <label class="field"><span>Role</span><select name="role"><option value="viewer">viewer: reads</option><option value="admin">admin: reads and writes</option></select></label><//>`;

const Password = ({ user, ...p }) => html`<${Ask} title=${'New password for ' + user.username} button="Reset" run=${async (f) => (await ask('PUT', `/config/users/${user.uuid}/reset-password`, { body: f })).message} ...${p}>
  <p>It must be changed at the next sign-in; the user is signed out now.</p><label class="field"><span>Password</span><input name="new_password" type="password" required minlength="8" maxlength="72" autocomplete="new-password" /></label><//>`;

function NewSensor({ onClose }) {
  const [made, setMade] = useState(null);
  if (!made) return html`<${Ask} title="New sensor" button="Create" run=${(f) => ask('POST', '/sensors', { body: f })} onDone=${setMade} onClose=${onClose}><label class="field"><span>Name</span><input name="name" required maxlength="64" autocomplete="off" /></label><//>`;
  return html`<${Dialog} title=${'Token of ' + shown(made.name, 60)} onClose=${onClose}><p>This is shown once. Keep it where the sensor is.</p><pre tabindex="0">${made.token}</pre><div class="buttons"><${Copy} text=${made.token} what="token" /><button class="primary" onClick=${onClose}>Done</button></div><//>`;
}
