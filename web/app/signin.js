// The way in: name and password, and the change of a password that must be changed.

import { html, useState, useRef, useEffect } from './vendor/htm-preact.js';
import { session, setSession, signIn, signOut, ask } from './session.js';

function Field({ label, type = 'password', name, hint, first, ...rest }) {
  const ref = useRef(null);
  useEffect(() => { if (first) ref.current.focus(); }, []);
  return html`<label class="field"><span>${label}</span><input ref=${ref} type=${type} name=${name} required maxlength="72" ...${rest} />${hint && html`<small class="dim">${hint}</small>`}</label>`;
}

function Card({ title, children, onSubmit, button }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    setBusy(true);
    setError('');
    try { await onSubmit(Object.fromEntries(new FormData(e.target))); } catch (x) { setError(x.message); }
    setBusy(false);
  };
  useEffect(() => { document.title = title + ' · decnet'; }, [title]);
  return html`<main id="main" class="gate"><form onSubmit=${submit} class="panel">
    <div class="brand big"><${Mark} />decnet</div><h1>${title}</h1>${children}
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    <button class="primary" disabled=${busy}>${busy ? 'One moment …' : button}</button></form></main>`;
}

export const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M16 4l10.4 6v12L16 28 5.6 22V10z" /><circle cx="16" cy="16" r="3.6" /></svg>`;

export function SignIn() {
  return html`<${Card} title="Sign in" button="Sign in" onSubmit=${(f) => signIn(f.username, f.password)}>
    ${session().why && html`<p class="dim">${session().why}</p>`}
    <${Field} label="User name" type="text" name="username" autocomplete="username" autocapitalize="none" spellcheck=${false} first />
    <${Field} label="Password" name="password" autocomplete="current-password" /><//>`;
}

export function ChangePassword({ onDone }) {
  const { username, mustChange } = session();
  const change = async (f) => {
    if (f.fresh !== f.again) throw new Error('The new password and its repetition differ.');
    if (f.fresh === f.old) throw new Error('Choose another password than the old one.');
    await ask('POST', '/auth/change-password', { body: { old_password: f.old, new_password: f.fresh } });
    // The token stopped working with the old password.
    setSession({ username });
    await signIn(username, f.fresh);
    if (onDone) onDone();
  };
  return html`<${Card} title="Change your password" button="Change the password" onSubmit=${change}>
    ${mustChange && html`<p class="dim">The password that you signed in with was given to you. Choose your own before you go on.</p>`}
    <input class="sr" type="text" name="username" value=${username} autocomplete="username" tabindex="-1" aria-hidden="true" readonly />
    <${Field} label="Old password" name="old" autocomplete="current-password" first />
    <${Field} label="New password" name="fresh" autocomplete="new-password" minlength="8" hint="8 to 72 characters. A sentence is good." />
    <${Field} label="New password again" name="again" autocomplete="new-password" minlength="8" />
    <button type="button" class="quiet" onClick=${onDone || (() => signOut())}>${onDone ? 'Cancel' : 'Sign out'}</button><//>`;
}
