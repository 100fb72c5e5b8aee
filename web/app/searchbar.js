// The search language: completion of keys, and of the values that were seen.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.js';
import { fieldsOf, shown, word } from './text.js';
import { Dialog } from './parts.js';

const keys = ['service', 'event', 'decky', 'attacker', 'username', 'password', 'command', 'session'];
const columnOf = { service: 'service', event: 'event_type', decky: 'decky', attacker: 'attacker_ip' };

// complete returns texts for the word that stands before the caret.
function complete(text, rows) {
  const last = /(?:^|\s)(\S*)$/.exec(text)?.[1] ?? '';
  const colon = last.indexOf(':');
  if (colon < 0) {
    const seen = new Set(keys);
    for (const r of rows.slice(0, 60)) Object.keys(fieldsOf(r)).forEach((k) => /^\w+$/.test(k) && seen.add(k));
    return [...seen].filter((k) => k.startsWith(last.toLowerCase())).slice(0, 10).map((k) => ({ last, put: k + ':', name: k + ':' }));
  }
  const key = last.slice(0, colon), begun = last.slice(colon + 1).replace(/^"/, '').toLowerCase();
  const n = new Map();
  for (const r of rows.slice(0, 500)) {
    const v = columnOf[key] ? r[columnOf[key]] : fieldsOf(r)[key];
    if (v != null && typeof v !== 'object' && String(v).length < 120 && String(v).toLowerCase().startsWith(begun)) n.set(String(v), (n.get(String(v)) || 0) + 1);
  }
  return [...n].sort((a, b) => b[1] - a[1]).slice(0, 10).map(([v]) => ({ last, put: word(key, v) + ' ', name: word(key, v) }));
}

export function SearchBar({ value, rows, onSearch }) {
  const [text, set] = useState(value);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const [help, setHelp] = useState(false);
  const input = useRef(null);
  useEffect(() => set(value), [value]);
  const offers = open ? complete(text, rows) : [];
  const take = (o) => {
    const next = text.slice(0, text.length - o.last.length) + o.put;
    set(next);
    setAt(-1);
    input.current.focus();
    if (!o.put.endsWith(':')) { setOpen(false); onSearch(next.trim()); }
  };
  const keydown = (e) => {
    if (e.key === 'ArrowDown' && offers.length) { e.preventDefault(); setAt((at + 1) % offers.length); }
    else if (e.key === 'ArrowUp' && offers.length) { e.preventDefault(); setAt((at - 1 + offers.length) % offers.length); }
    else if (e.key === 'Tab' && at >= 0 && offers[at]) { e.preventDefault(); take(offers[at]); }
    else if (e.key === 'Escape') { if (open) { setOpen(false); e.stopPropagation(); } else input.current.blur(); }
    else if (e.key === 'Enter') {
      e.preventDefault();
      if (at >= 0 && offers[at]) take(offers[at]);
      else { setOpen(false); onSearch(text.trim()); }
    }
  };
  return html`<div class="searchbar">
    <input ref=${input} data-search type="text" role="combobox" aria-expanded=${!!offers.length} aria-controls="offers" aria-autocomplete="list" aria-activedescendant=${at >= 0 && offers.length ? 'offer-' + at : undefined}
      aria-label="Search events" placeholder="Search, e.g. service:ssh username:root   ( / )" maxlength="512" autocomplete="off" autocapitalize="none" spellcheck=${false}
      value=${text} onInput=${(e) => { set(e.target.value); setOpen(true); setAt(-1); }} onFocus=${() => setOpen(true)} onBlur=${() => setTimeout(() => setOpen(false), 150)} onKeyDown=${keydown} />
    ${text && html`<button class="quiet" aria-label="Clear the search" onClick=${() => { set(''); onSearch(''); }}>✕</button>`}
    <button class="quiet" aria-label="How to search" onClick=${() => setHelp(true)}>?</button>
    <ul id="offers" role="listbox" aria-label="Suggestions" hidden=${!offers.length}>${offers.map((o, i) => html`<li id=${'offer-' + i} role="option" aria-selected=${i === at} onMouseDown=${(e) => { e.preventDefault(); take(o); }}><bdi class="mono">${shown(o.name, 100)}</bdi></li>`)}</ul>
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}</div>`;
}

const Help = ({ onClose }) => html`<${Dialog} title="How to search" onClose=${onClose}>
  <p>All words must match. Quotes keep words together, a backslash takes the next character as it is.</p>
  <dl class="facts"><dt><code>root</code></dt><dd>occurs in the raw line, decoy, service or address</dd>
  <dt><code>service:ssh</code></dt><dd>also <code>decky:</code>, <code>event:</code>, <code>attacker:</code>; the whole value must be equal</dd>
  <dt><code>username:root</code></dt><dd>equality on any key of the event’s fields, numbers too: <code>port:443</code></dd>
  <dt><code>password:"a b"</code></dt><dd>a value with spaces</dd></dl><//>`;
