// The event stream by fetch, since an EventSource would need the token in the
// URL. It resumes by Last-Event-ID, backs off, and sleeps with its tab.

import { session, problem, query } from './session.js';

const stalled = 30000; // the service sends counters every 10 s

// follow calls onRows(rows), onStats(stats) and onState(word) until the
// function that it returns is called. The words are connecting, live, asleep
// and waiting. No row is given twice.
export function follow({ params = {}, lastId = 0, onRows, onStats, onState }) {
  let closed = false, abort = null, timer = 0, watchdog = 0, tries = 0, seen = lastId, cursor = lastId ? String(lastId) : '';

  const say = (word) => { if (!closed && onState) onState(word); };

  function later() {
    if (closed || document.hidden) return;
    say('waiting');
    const pause = Math.min(15000, 400 * 2 ** Math.min(tries++, 6)) * (0.7 + Math.random() * 0.6);
    timer = setTimeout(connect, pause);
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort && abort.abort(), stalled);
  }

  function frame(text) {
    let data = '', id = '';
    for (const line of text.split('\n')) {
      if (line.startsWith('data:')) data += line.slice(5).trimStart();
      else if (line.startsWith('id:')) id = line.slice(3).trim();
    }
    if (data) {
      const m = JSON.parse(data);
      if (m.type === 'logs') {
        const fresh = m.data.filter((r) => r.id > seen);
        if (fresh.length) {
          seen = fresh[fresh.length - 1].id;
          onRows(fresh);
        }
      } else if (m.type === 'stats' && onStats) onStats(m.data);
    }
    // Only what was handed over may be resumed after.
    if (id) cursor = id;
  }

  async function connect() {
    clearTimeout(timer);
    if (closed || document.hidden || abort) return;
    const mine = new AbortController();
    abort = mine;
    say('connecting');
    try {
      const headers = { Accept: 'text/event-stream', Authorization: 'Bearer ' + session().token };
      if (cursor) headers['Last-Event-ID'] = cursor;
      alive();
      const response = await fetch('/api/v1/stream' + query(params), { headers, signal: mine.signal, cache: 'no-store' });
      if (!response.ok) throw await problem(response);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        alive();
        rest += value;
        const frames = rest.split('\n\n');
        rest = frames.pop();
        for (const f of frames) if (!closed) frame(f);
        if (tries || frames.length) { tries = 0; say('live'); }
      }
    } catch (e) {
      if (e.status === 401 || e.status === 422) closed = true;
    } finally {
      clearTimeout(watchdog);
      if (abort === mine) { abort = null; later(); }
    }
  }

  function visibility() {
    if (document.hidden) {
      say('asleep');
      clearTimeout(timer);
      const a = abort;
      abort = null;
      if (a) a.abort();
    } else connect();
  }

  function online() { tries = 0; connect(); }

  document.addEventListener('visibilitychange', visibility);
  addEventListener('online', online);
  connect();
  return () => {
    closed = true;
    clearTimeout(timer);
    clearTimeout(watchdog);
    document.removeEventListener('visibilitychange', visibility);
    removeEventListener('online', online);
    if (abort) abort.abort();
  };
}

// painter gathers what arrives and hands it over once a frame at most, however
// much arrives.
export function painter(paint) {
  let waiting = [], frameId = 0;
  return {
    add(rows) {
      waiting = waiting.concat(rows);
      frameId ||= requestAnimationFrame(() => {
        frameId = 0;
        const now = waiting;
        waiting = [];
        paint(now);
      });
    },
    stop() { cancelAnimationFrame(frameId); waiting = []; frameId = 0; },
  };
}
