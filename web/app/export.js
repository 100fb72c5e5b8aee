// The filtered set as a file, page by page through the API.

import { get } from './session.js';
import { fieldsOf } from './text.js';

const columns = ['id', 'timestamp', 'decky', 'service', 'event_type', 'attacker_ip', 'msg', 'fields', 'raw_line'];

// cell quotes for CSV. A spreadsheet takes a text that begins like a formula
// for one, so such a text gets an apostrophe before it.
export function cell(value) {
  let s = value == null ? '' : String(value);
  if (/^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(s) || /^[\t\r\n]/.test(s)) s = "'" + s;
  return /[",\r\n]/.test(s) || s !== s.trim() ? '"' + s.replaceAll('"', '""') + '"' : s;
}

export const csvRow = (row) => columns.map((c) => cell(row[c])).join(',') + '\r\n';
export const ndjsonRow = (row) => JSON.stringify({ ...row, fields: fieldsOf(row) }) + '\n';

// download reads every row of the filter and offers the file. Rows that come
// while it reads are the newest and push the others to later pages: nothing is
// missed, and what is met again is not written again.
export async function download(filter, form, onProgress, signal) {
  const newest = await get('/logs', { ...filter, limit: 1000 }, signal);
  const chunks = form === 'csv' ? ['\ufeff' + columns.join(',') + '\r\n'] : [];
  const written = new Set();
  let page = newest, offset = 0;
  while (page.data.length) {
    let text = '';
    for (const r of page.data) {
      if (written.has(r.id)) continue;
      written.add(r.id);
      text += form === 'csv' ? csvRow(r) : ndjsonRow(r);
    }
    chunks.push(new Blob([text]));
    onProgress(Math.min(1, (offset + page.data.length) / Math.max(1, page.total)), written.size);
    offset += page.data.length;
    if (offset >= page.total) break;
    page = await get('/logs', { ...filter, limit: 1000, offset }, signal);
  }
  const url = URL.createObjectURL(new Blob(chunks, { type: form === 'csv' ? 'text/csv;charset=utf-8' : 'application/x-ndjson' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = 'decnet-events-' + new Date().toISOString().slice(0, 19).replaceAll(':', '') + (form === 'csv' ? '.csv' : '.ndjson');
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  return written.size;
}
