// Which columns the list of events has. The choice is the browser's, and of the
// names of columns only.

import { html, useState } from './vendor/htm-preact.js';
import { fieldsOf, localTime, shortTime, shown, summary, utc } from './text.js';
import { Tag } from './parts.js';

const key = 'decnet.columns';
const usual = ['time', 'attacker', 'decky', 'service', 'event', 'what'];
const mostFields = 6;
const field = /^field:\w{1,64}$/;

// name, width as a track of a grid, and what it shows of an event.
const known = {
  id: ['Number', '5.5rem', (r) => html`<span class="dim">${r.id}</span>`],
  time: ['Time', '8.8rem', (r) => html`<span class="dim" title=${localTime(r.timestamp) + ', ' + utc(r.timestamp)}>${shortTime(r.timestamp)}</span>`],
  attacker: ['Attacker', 'minmax(4rem, 10rem)', (r) => html`<span class="mono">${shown(r.attacker_ip, 45)}</span>`],
  decky: ['Decoy', 'minmax(4rem, 9rem)', (r) => html`<span>${shown(r.decky, 40)}</span>`],
  service: ['Service', '6rem', (r) => html`<span><${Tag} kind="service">${shown(r.service, 20)}<//></span>`],
  event: ['Event', 'minmax(4rem, 12rem)', (r) => html`<span>${shown(r.event_type, 40)}</span>`],
  what: ['What', 'minmax(7rem, 1fr)', (r) => html`<bdi class="mono say">${summary(r)}</bdi>`],
  raw: ['Raw line', 'minmax(7rem, 1.4fr)', (r) => html`<bdi class="mono">${shown(r.raw_line, 400)}</bdi>`],
};

const column = (c) => known[c] || [c.slice(6), 'minmax(4rem, 12rem)', (r) => html`<bdi class="mono">${shown(fieldsOf(r)[c.slice(6)], 200)}</bdi>`];
export const nameOf = (c) => column(c)[0];
// widths are the tracks of a row; times of another year need more.
export const widths = (columns, old) => columns.map((c) => (c === 'time' && old ? '11.6rem' : column(c)[1])).join(' ');
export const cell = (c, row) => column(c)[2](row);

function read() {
  try {
    const list = JSON.parse(localStorage.getItem(key));
    const good = [...new Set(list)].filter((c) => known[c] || field.test(c));
    return good.length ? good : usual;
  } catch { return usual; }
}

export function useColumns() {
  const [columns, set] = useState(read);
  const change = (next) => {
    set(next);
    try { localStorage.setItem(key, JSON.stringify(next)); } catch { /* then for this page only */ }
  };
  return [columns, change];
}

// fitting are those for which there is room.
export function fitting(columns, opened) {
  if (innerWidth < 720) return ['time', 'attacker', 'service', 'what'];
  return opened ? columns.filter((c) => c !== 'decky' && c !== 'event').slice(0, 4) : columns;
}

export function Columns({ columns, change }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  const fields = columns.filter((c) => !known[c]);
  // Those with names keep their order, fields come behind them.
  const put = (set) => change([...Object.keys(known).filter((c) => set.has(c)), ...[...set].filter((c) => !known[c])]);
  const toggle = (c) => {
    const set = new Set(columns);
    if (!set.delete(c)) set.add(c);
    if (set.size) put(set);
  };
  const add = (e) => {
    e.preventDefault();
    const c = 'field:' + text.trim();
    if (!field.test(c) || fields.length >= mostFields) return;
    put(new Set([...columns, c]));
    setText('');
  };
  const Choice = ({ c }) => html`<label class="check"><input type="checkbox" checked=${columns.includes(c)} disabled=${columns.length === 1 && columns[0] === c} onChange=${() => toggle(c)} />${nameOf(c)}</label>`;
  return html`<span class="menu columns"><button class="quiet" aria-expanded=${open} onClick=${() => setOpen(!open)}>Columns</button>
    <span class="items" hidden=${!open}>${Object.keys(known).map((c) => html`<${Choice} key=${c} c=${c} />`)}${fields.map((c) => html`<${Choice} key=${c} c=${c} />`)}
    <form onSubmit=${add}><input aria-label="A field of events" placeholder="username" maxlength="64" pattern="\\w+" value=${text} onInput=${(e) => setText(e.target.value)} autocomplete="off" spellcheck=${false} /><button disabled=${fields.length >= mostFields}>Add</button></form>
    <button class="quiet" onClick=${() => change(usual)}>As at first</button></span></span>`;
}
