// The shell: who is signed in, where one is, and the keys that work everywhere.

import { html, render, useEffect, useState } from './vendor/htm-preact.js';
import { session, watchSession, setSession, signOut, get } from './session.js';
import { useRoute, interceptLinks, go } from './router.js';
import { SignIn, ChangePassword, Mark } from './signin.js';
import { Dialog, Page, Empty } from './parts.js';
import { Overview } from './overview.js';
import { Events } from './events.js';
import { Attackers, Attacker } from './attackers.js';
import { Credentials, Bounty } from './credentials.js';
import { Fleet } from './fleet.js';
import { Ingest } from './ingest.js';
import { Health } from './health.js';
import { Settings } from './settings.js';

const places = [['/', 'Overview', 'o', Overview], ['/events', 'Events', 'e', Events], ['/attackers', 'Attackers', 'a', Attackers], ['/credentials', 'Credentials', 'c', Credentials],
  ['/bounty', 'Bounty', 'b', Bounty], ['/fleet', 'Fleet', 'f', Fleet], ['/ingest', 'Ingest', 'i', Ingest], ['/health', 'Health', 'h', Health], ['/settings', 'Settings', 's', Settings]];

function theme() {
  let t = '';
  try { t = localStorage.getItem('decnet.theme') || ''; } catch { /* then the system's */ }
  return t;
}

function setTheme(t) {
  document.documentElement.dataset.theme = t;
  try { localStorage.setItem('decnet.theme', t); } catch { /* then for this page only */ }
  dispatchEvent(new Event('decnet-theme'));
}

function App() {
  const [, again] = useState(0);
  const [help, setHelp] = useState(false);
  const [changing, setChanging] = useState(false);
  const route = useRoute();
  useEffect(() => watchSession(() => again((n) => n + 1)), []);
  useEffect(() => keys(() => setHelp(true)), []);
  useEffect(() => {
    // The role may have changed since the tab was open.
    if (session().token && !session().mustChange) get('/config').then((c) => c.role !== session().role && setSession({ ...session(), role: c.role })).catch(() => {});
  }, []);
  useEffect(() => {
    // On a phone the pages are a strip: where one is must be in it.
    const here = document.querySelector('.rail [aria-current]'), strip = here?.closest('ul');
    if (strip) strip.scrollLeft = here.offsetLeft - strip.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
  }, [route.path, session().token]);
  const s = session();
  if (!s.token) return html`<${SignIn} />`;
  if (s.mustChange || changing) return html`<${ChangePassword} onDone=${changing ? () => setChanging(false) : null} />`;
  const one = /^\/attackers\/([^/]+)$/.exec(route.path);
  const place = places.find((p) => p[0] === route.path);
  const view = one ? html`<${Attacker} key=${one[1]} uuid=${one[1]} params=${route.params} />` : place ? html`<${place[3]} key=${place[0]} params=${route.params} />`
    : html`<${Page} title="Not found"><${Empty}>There is no such page. <a href="/">Go to the overview</a>.<//><//>`;
  return html`<a class="skip" href="#main" data-plain>Skip to the content</a><div class="shell">
    <nav class="rail" aria-label="Pages"><a class="brand" href="/"><${Mark} />decnet</a>
      <ul>${places.map(([path, name]) => html`<li><a href=${path} aria-current=${route.path === path || (one && path === '/attackers') ? 'page' : undefined}>${name}</a></li>`)}</ul>
      <div class="me"><span class="who" title=${s.username}>${s.username}<small>${s.role}</small></span>
        <button class="quiet" onClick=${() => setTheme(dark() ? 'light' : 'dark')}>Theme</button><button class="quiet" onClick=${() => setHelp(true)}>Keys</button>
        <button class="quiet" onClick=${() => setChanging(true)}>Password</button><button class="quiet" onClick=${() => signOut()}>Sign out</button></div></nav>
    ${view}</div>${help && html`<${Keys} onClose=${() => setHelp(false)} />`}`;
}

const dark = () => (theme() ? theme() === 'dark' : !matchMedia('(prefers-color-scheme: light)').matches);

const Keys = ({ onClose }) => html`<${Dialog} title="Keys" onClose=${onClose}><dl class="facts">
  <dt><kbd>/</kbd></dt><dd>search</dd><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous row</dd><dt><kbd>Enter</kbd> <kbd>Esc</kbd></dt><dd>open and close a row</dd>
  <dt><kbd>g</kbd> then a letter</dt><dd>${places.map((p) => p[2] + ' ' + p[1].toLowerCase()).join(', ')}</dd><dt><kbd>?</kbd></dt><dd>this help</dd></dl><//>`;

// keys installs the keys of every page and returns how to undo that.
function keys(onHelp) {
  let waitingForPlace = false;
  const f = (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || !session().token || document.querySelector('dialog[open]')) return;
    if (waitingForPlace) {
      waitingForPlace = false;
      const p = places.find((x) => x[2] === e.key);
      if (p) { e.preventDefault(); go(p[0]); }
      return;
    }
    if (e.key === 'g') waitingForPlace = true;
    else if (e.key === 'Enter' && e.target.matches('tbody tr')) e.target.querySelector('a')?.click();
    else if (e.key === '?') { e.preventDefault(); onHelp(); }
    else if (e.key === '/') {
      const box = document.querySelector('[data-search]');
      e.preventDefault();
      if (!box) go('/events');
      // The page of events is drawn by then.
      setTimeout(() => { const b = document.querySelector('[data-search]'); if (b) { b.focus(); b.select(); } });
    } else if (e.key === 'j' || e.key === 'k') {
      const list = document.querySelector('[data-list]');
      if (list) {
        if (!list.contains(e.target)) { list.focus(); list.dispatchEvent(new KeyboardEvent('keydown', { key: e.key })); }
        return;
      }
      const rows = [...document.querySelectorAll('tbody tr[tabindex]')];
      const at = rows.indexOf(document.activeElement);
      const to = rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === 'j' ? 1 : -1)))];
      if (to) to.focus();
    }
  };
  addEventListener('keydown', f);
  return () => removeEventListener('keydown', f);
}

if (theme()) document.documentElement.dataset.theme = theme();
matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => dispatchEvent(new Event('decnet-theme')));
interceptLinks();
const root = document.getElementById('app');
root.textContent = '';
render(html`<${App} />`, root);
