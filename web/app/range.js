// The range of time: typed as people write times, or chosen.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.js';
import { utc } from './text.js';

const units = { m: 60000, min: 60000, h: 3600000, d: 86400000, w: 604800000 };
const moment = /^(?:(\d{4})-(\d\d?)-(\d\d?)(?:[ T,]+|$))?(?:(\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/i;

// parseTime reads "2025-10-24 08:00:30", with Z or UTC or +02:00 behind it or in
// the time of the browser, "08:00" of today, and "-6h" before now. It returns
// ISO form, '' for nothing, and null for what is no time.
export function parseTime(text, now = Date.now()) {
  const s = text.trim();
  if (!s) return '';
  if (/^now$/i.test(s)) return new Date(now).toISOString();
  const ago = /^-?\s*(\d{1,6})\s*(min|m|h|d|w)$/i.exec(s);
  if (ago) return new Date(now - ago[1] * units[ago[2].toLowerCase()]).toISOString();
  const m = moment.exec(s);
  if (!m || (!m[1] && !m[4])) return null;
  const zone = m[7] && (/^[zu]/i.test(m[7]) ? 0 : (m[7][0] === '-' ? -1 : 1) * (m[7].slice(1, 3) * 60 + m[7].slice(-2) * 1));
  const today = new Date(now + (zone || 0) * 60000);
  const day = m[1] ? [m[1] * 1, m[2] - 1, m[3] * 1] : zone === undefined ? [today.getFullYear(), today.getMonth(), today.getDate()] : [today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate()];
  const clock = [(m[4] || 0) * 1, (m[5] || 0) * 1, (m[6] || 0) * 1];
  const check = new Date(Date.UTC(...day, ...clock));
  // The 31st of February, or 25 o'clock, would become another day.
  if (check.getUTCDate() !== day[2] || check.getUTCMonth() !== day[1] || check.getUTCHours() !== clock[0] || clock[1] > 59 || clock[2] > 59) return null;
  return (zone === undefined ? new Date(...day, ...clock) : new Date(+check - zone * 60000)).toISOString();
}

const two = (n) => String(n).padStart(2, '0');

// written is a time as parseTime reads it, in the time of the browser.
function written(iso) {
  const d = new Date(iso);
  if (!iso || Number.isNaN(+d)) return '';
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

function TimeBox({ label, example, value, onTime, onBad }) {
  const [text, set] = useState(written(value));
  const [bad, setBad] = useState(false);
  // Whoever goes on typing while the page still turns to the last time keeps the text.
  const typing = useRef(false);
  const reset = (isBad) => { setBad(isBad); onBad(isBad); };
  const restore = () => { typing.current = false; set(written(value)); reset(false); };
  useEffect(() => { if (!typing.current) restore(); }, [value]);
  const take = () => {
    typing.current = false;
    if (text === written(value)) { reset(false); return; }
    const t = parseTime(text);
    reset(t === null);
    if (t !== null) { set(written(t)); onTime(t); }
  };
  return html`<input type="text" class="moment" aria-label=${label} placeholder=${label + ', e.g. ' + example} title=${value ? utc(value) : undefined} value=${text} aria-invalid=${bad ? 'true' : undefined} aria-describedby=${bad ? 'how-times' : undefined}
    maxlength="40" autocomplete="off" spellcheck=${false} onInput=${(e) => { typing.current = true; set(e.target.value); }} onBlur=${take} onKeyDown=${(e) => { if (e.key === 'Enter') take(); else if (e.key === 'Escape') restore(); }} />`;
}

export function Range({ params, change }) {
  const [bad, setBad] = useState({});
  const mark = (name) => (is) => setBad((b) => (!!b[name] === is ? b : { ...b, [name]: is }));
  const quick = (e) => {
    const s = Number(e.target.value);
    change({ start: s ? new Date(Date.now() - s * 1000).toISOString() : '', end: '' });
    e.target.value = '';
  };
  return html`<div class="range"><${TimeBox} label="From" example="-6h" value=${params.start || ''} onTime=${(start) => change({ start })} onBad=${mark('start')} /><span class="dim">–</span>
    <${TimeBox} label="To" example="14:30" value=${params.end || ''} onTime=${(end) => change({ end })} onBad=${mark('end')} />
    ${(params.start || params.end) && html`<button class="quiet" aria-label="Clear the range" title="Clear the range" onClick=${() => change({ start: '', end: '' })}>✕</button>`}
    <select aria-label="Last" onChange=${quick}><option value="">Last …</option><option value="3600">Hour</option><option value="86400">Day</option><option value="604800">Week</option><option value="0">All</option></select>
    ${(bad.start || bad.end) && html`<p id="how-times" class="bad" role="alert">Write a time as <code>2026-01-31 08:00</code>, <code>08:00</code> of today, or <code>-6h</code> before now; with <code>Z</code> behind it if it is UTC.</p>`}</div>`;
}
