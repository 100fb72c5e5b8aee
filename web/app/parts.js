// What all pages are made of.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.js';
import { localTime, clockTime, todayTime, utc, shown, number } from './text.js';
import { go } from './router.js';

// useLoad calls load(signal) when a dependency changes and tells how it went.
export function useLoad(load, deps) {
  const [state, set] = useState({ loading: true });
  const [round, again] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    set((s) => ({ ...s, loading: true }));
    load(abort.signal).then(
      (data) => !abort.signal.aborted && set({ data, loading: false }),
      (error) => !abort.signal.aborted && set((s) => ({ data: s.data, error, loading: false })),
    );
    return () => abort.abort();
  }, [...deps, round]);
  // A service that was away is asked again, as long as somebody looks.
  const away = !!state.error && state.error.status === 0;
  useEvery(4000, () => { if (away && !state.loading) again((n) => n + 1); });
  return { ...state, again: () => again((n) => n + 1) };
}

// useEvery calls f each so many milliseconds while the tab is looked at.
export function useEvery(ms, f) {
  const latest = useRef(f);
  latest.current = f;
  useEffect(() => {
    const id = setInterval(() => { if (!document.hidden) latest.current(); }, ms);
    return () => clearInterval(id);
  }, [ms]);
}

export const When = ({ t, only }) => (t ? html`<time datetime=${t} title=${only ? localTime(t) + ', ' + utc(t) : utc(t)}>${only === 'clock' ? clockTime(t) : only === 'short' ? todayTime(t) : localTime(t)}</time>` : html`<span class="dim">never</span>`);

export function Failed({ error, again }) {
  return html`<div class="failed" role="alert"><strong>${error.message}</strong>
    ${error.id && html`<span class="dim"> Request ${error.id}: the service’s log has more under this id.</span>`}
    ${again && html`<button onClick=${again}>Try again</button>`}</div>`;
}

export const Empty = ({ children }) => html`<div class="empty"><p>${children}</p></div>`;

export const Skeleton = ({ rows = 5 }) => html`<div class="skeleton" aria-busy="true"><span class="sr">Loading</span>${Array.from({ length: rows }, () => html`<i></i>`)}</div>`;

// Loaded shows one of: the error, the skeleton, the emptiness, the content.
export function Loaded({ state, empty, isEmpty, rows, children }) {
  if (state.error && !state.data) return html`<${Failed} error=${state.error} again=${state.again} />`;
  if (!state.data) return html`<${Skeleton} rows=${rows} />`;
  if (isEmpty && isEmpty(state.data)) return html`<${Empty}>${empty}<//>`;
  return html`${state.error && html`<${Failed} error=${state.error} again=${state.again} />`}${children(state.data)}`;
}

export function Copy({ text, what = 'value' }) {
  const [done, set] = useState('');
  const copy = async (e) => {
    e.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
      set('Copied');
    } catch { set('Not allowed'); }
    setTimeout(() => set(''), 1500);
  };
  return html`<button class="copy" type="button" onClick=${copy} aria-label=${'Copy ' + what} title=${'Copy ' + what}>${done || html`<svg viewBox="0 0 16 16" aria-hidden="true"><rect x="5" y="5" width="8" height="9" rx="1.5" /><path d="M10.5 3.5v-1h-8v9h1" /></svg>`}</button>`;
}

export const Address = ({ ip, uuid }) => html`<span class="address mono">${uuid ? html`<a href=${'/attackers/' + uuid}>${shown(ip, 60)}</a>` : html`<a href=${'/attackers?ip=' + encodeURIComponent(ip)}>${shown(ip, 60)}</a>`}<${Copy} text=${ip} what="address" /></span>`;

// Hostile shows text that an attacker wrote: as text, isolated, cut.
export const Hostile = ({ value, max = 200, empty = '(empty)' }) => (value === '' || value == null ? html`<span class="dim">${empty}</span>` : html`<bdi class="mono hostile">${shown(value, max)}</bdi>`);

export const Tag = ({ kind = '', children }) => html`<span class=${'tag ' + kind}>${children}</span>`;

export const Page = ({ title, actions, children, note }) => {
  useEffect(() => { document.title = title + ' · decnet'; }, [title]);
  return html`<main id="main" tabindex="-1"><header class="page"><h1>${title}</h1>${note && html`<p class="dim note">${note}</p>`}<div class="actions">${actions}</div></header>${children}</main>`;
};

export const Panel = ({ title, aside, children, kind = '' }) => html`<section class=${'panel ' + kind}><header><h2>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</header>${children}</section>`;

export function Table({ label, heads, children }) {
  return html`<div class="scroll" role="region" aria-label=${label} tabindex="0"><table><thead><tr>${heads.map((h) => (h === '' ? html`<td></td>` : html`<th scope="col" class=${h.num ? 'num' : ''}>${h.name ?? h}</th>`))}</tr></thead><tbody>${children}</tbody></table></div>`;
}

// Bars ranks names by a count; each is a link.
export function Bars({ rows, empty }) {
  if (!rows.length) return html`<${Empty}>${empty}<//>`;
  const most = Math.max(...rows.map((r) => r.count));
  return html`<ol class="bars">${rows.map((r) => html`<li key=${r.key}><a href=${r.href}><i style=${{ width: (100 * r.count) / most + '%' }}></i><bdi class="mono">${shown(r.name, 80)}</bdi><b>${number(r.count)}</b></a></li>`)}</ol>`;
}

export function Segments({ label, value, options, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>${options.map(([v, name]) => html`<button type="button" aria-pressed=${value === v} onClick=${() => onChange(v)}>${name}</button>`)}</div>`;
}

export function Pager({ page, path, params }) {
  const { total, limit, offset } = page;
  if (total <= limit && !offset) return html`<p class="pager dim">${number(total)} in all</p>`;
  const to = (o) => go(path, { ...params, offset: o || '' });
  return html`<nav class="pager" aria-label="Pages"><button disabled=${!offset} onClick=${() => to(Math.max(0, offset - limit))}>Previous</button>
    <span class="dim">${number(Math.min(offset + 1, total))}–${number(Math.min(offset + limit, total))} of ${number(total)}</span>
    <button disabled=${offset + limit >= total} onClick=${() => to(offset + limit)}>Next</button></nav>`;
}

// SearchBox writes a parameter of the address, a moment after the typing.
export function SearchBox({ label, path, params, name = 'search', placeholder }) {
  const [text, set] = useState(params[name] || '');
  const timer = useRef(0);
  useEffect(() => set(params[name] || ''), [params[name]]);
  const type = (e) => {
    const v = e.target.value;
    set(v);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(path, { ...params, [name]: v, offset: '' }, true), 250);
  };
  return html`<input type="search" class="search" data-search aria-label=${label} placeholder=${placeholder || label} value=${text} maxlength="512" onInput=${type} autocomplete="off" spellcheck=${false} />`;
}

// Dialog is the browser's own, which keeps the focus inside.
export function Dialog({ title, onClose, children, kind = '' }) {
  const ref = useRef(null), gone = useRef(false);
  useEffect(() => {
    const d = ref.current;
    d.showModal();
    // The event of this close comes later, when another dialog may be in its place.
    return () => { gone.current = true; if (d.open) d.close(); };
  }, []);
  return html`<dialog ref=${ref} class=${kind} aria-label=${title} onClose=${() => gone.current || onClose()} onClick=${(e) => e.target === ref.current && onClose()}>
    <header><h2>${title}</h2><button class="quiet" onClick=${onClose} aria-label="Close">✕</button></header><div class="body">${children}</div></dialog>`;
}

export const LiveChip = ({ state, paused }) => {
  const words = { live: 'Live', connecting: 'Connecting', waiting: 'Reconnecting', asleep: 'Asleep' };
  return html`<span class=${'chip ' + (paused ? 'paused' : state)} role="status"><i aria-hidden="true"></i><span>${paused ? 'Paused' : words[state] || 'Connecting'}</span></span>`;
};
