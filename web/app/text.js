// Text that attackers wrote, made visible; numbers and times for people.

const invisible = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]/g;

function named(c) {
  switch (c) {
    case '\n': return '\\n';
    case '\r': return '\\r';
    case '\t': return '\\t';
    case '\u001b': return '\\e';
    default: {
      const n = c.codePointAt(0);
      return n < 256 ? '\\x' + n.toString(16).padStart(2, '0') : '\\u' + n.toString(16).padStart(4, '0');
    }
  }
}

// shown returns text in which nothing is invisible and nothing changes the
// direction of reading, and which is at most max characters long.
export function shown(value, max = 400) {
  let s = typeof value === 'string' ? value : value == null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  const cut = s.length > max;
  if (cut) s = s.slice(0, max);
  s = s.replace(invisible, named);
  return cut ? s + ' …' : s;
}

const whole = new Intl.NumberFormat();
const tenths = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
export const number = (n) => whole.format(n);
export const decimal = (n) => (n == null ? '–' : short.format(n));
export const plural = (n, one, many = one + 's') => number(n) + ' ' + (n === 1 ? one : many);

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

// One form of dates everywhere, which sorts and which the fields of a range take.
const isoDay = (d) => d.getFullYear() + '-' + String(d.getMonth() + 1).padStart(2, '0') + '-' + String(d.getDate()).padStart(2, '0');

export function localTime(t) {
  const d = new Date(t);
  return Number.isNaN(+d) ? '–' : isoDay(d) + ' ' + clock.format(d);
}

const dayOnly = new Intl.DateTimeFormat(undefined, { month: 'short', day: '2-digit' });

// longAgo says that a time is not of this year.
export const longAgo = (t) => new Date(t).getFullYear() !== new Date().getFullYear();

// shortTime leaves the year out, for lists, where it is this year.
export function shortTime(t) {
  const d = new Date(t);
  return Number.isNaN(+d) ? '–' : (longAgo(d) ? isoDay(d) : dayOnly.format(d)) + ' ' + clock.format(d);
}

export const isToday = (t) => new Date(t).toDateString() === new Date().toDateString();

// todayTime is the clock today, and has the day before it otherwise.
export const todayTime = (t) => (isToday(t) ? clockTime(t) : shortTime(t));

export function clockTime(t) {
  const d = new Date(t);
  return Number.isNaN(+d) ? '–' : clock.format(d);
}

export const utc = (t) => {
  const d = new Date(t);
  return Number.isNaN(+d) ? '' : d.toISOString().replace('T', ' ').replace('Z', ' UTC');
};

export function span(seconds) {
  if (seconds == null) return '–';
  if (seconds < 1) return Math.round(seconds * 1000) + ' ms';
  if (seconds < 90) return tenths.format(seconds) + ' s';
  if (seconds < 5400) return Math.round(seconds / 60) + ' min';
  if (seconds < 172800) return decimal(Math.round(seconds / 360) / 10) + ' h';
  return number(Math.round(seconds / 86400)) + ' days';
}

export const interval = (m) => (m == null ? 'as the fleet' : m % 1440 === 0 ? plural(m / 1440, 'day') : plural(m, 'minute'));

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return decimal(n) + ' ' + units[i];
}

// fieldsOf parses the fields of an event; what is no object gives none.
export function fieldsOf(row) {
  try {
    const f = JSON.parse(row.fields);
    return f && typeof f === 'object' && !Array.isArray(f) ? f : {};
  } catch { return {}; }
}

// word quotes a value for the search language.
export function word(key, value) {
  const s = String(value);
  return key + ':' + (/^[\w.@/:-]+$/.test(s) ? s : '"' + s.replace(/[\\"]/g, '\\$&') + '"');
}

// summary is what an event says in one line.
export function summary(row) {
  const f = fieldsOf(row);
  if (f.command || f.input) return '$ ' + shown(f.command || f.input, 300);
  if (f.username != null || f.password != null) return shown(f.username ?? '', 120) + ' : ' + shown(f.password ?? '', 160);
  if (f.url) return shown(f.url, 300);
  if (f.path) return shown((f.method ? f.method + ' ' : '') + f.path, 300);
  if (f.filename) return shown(f.filename, 300);
  return shown(row.msg || f.message || row.raw_line, 300);
}
