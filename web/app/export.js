// The filtered set as a file, as the service streams it.

import { Failure, problem, query, session } from './session.js';

// Parts are handed to the browser, which may keep them on disk, when they have
// so many bytes together.
const part = 8 << 20;

// download saves all events of the filter and returns the size of the file.
export async function download(filter, form, onProgress, signal) {
  let response;
  try {
    response = await fetch('/api/v1/logs/export' + query({ ...filter, format: form }), { headers: { Authorization: 'Bearer ' + session().token }, signal });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Failure(0, 'decnet does not answer. Is it running, and is the network up?');
  }
  if (!response.ok) throw await problem(response);
  const parts = [];
  let pieces = [], waiting = 0, size = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      waiting += value.length;
      size += value.length;
      if (waiting >= part) { parts.push(new Blob(pieces)); pieces = []; waiting = 0; }
      onProgress(size);
    }
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Failure(0, 'The export was cut off, nothing was saved.');
  }
  const url = URL.createObjectURL(new Blob([...parts, ...pieces], { type: response.headers.get('Content-Type') }));
  const a = document.createElement('a');
  a.href = url;
  a.download = 'decnet-events-' + new Date().toISOString().slice(0, 19).replaceAll(':', '') + '.' + form;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  return size;
}
