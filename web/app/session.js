// Who is signed in, and requests to the API. The token lives in memory and, so
// that a reload keeps it, in the tab's session storage; never in a URL.

const key = 'decnet.session';
let current = read();
const listeners = new Set();

function read() {
  try { return JSON.parse(sessionStorage.getItem(key)) || {}; } catch { return {}; }
}

export const session = () => current;
export const admin = () => current.role === 'admin';

export function watchSession(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

export function setSession(next) {
  current = next;
  try {
    if (next.token) sessionStorage.setItem(key, JSON.stringify(next));
    else sessionStorage.removeItem(key);
  } catch { /* private modes refuse it; memory is enough */ }
  listeners.forEach((f) => f());
}

export const signOut = (why = '') => setSession({ why });

export class Failure extends Error {
  constructor(status, detail, id) {
    super(detail);
    this.status = status;
    this.id = id;
  }
}

export function query(params) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params || {})) if (v !== '' && v != null) q.set(k, v);
  const s = q.toString();
  return s ? '?' + s : '';
}

// problem reads the answer to a refused request and ends the session where the
// token is good no more.
export async function problem(response) {
  let detail = '';
  let id = response.headers.get('X-Request-Id') || '';
  try { detail = (await response.json()).detail || ''; } catch { /* not ours: a proxy, say */ }
  if (response.status === 401 && current.token && detail !== 'Incorrect old password') signOut('Your session ended. Sign in again.');
  if (response.status === 403 && detail.startsWith('Password change required')) setSession({ ...current, mustChange: true });
  const wait = response.headers.get('Retry-After');
  if (wait && response.status === 429) detail += ` Wait ${wait} s.`;
  return new Failure(response.status, detail || 'The service answered ' + response.status + '.', id);
}

export async function ask(method, path, { params, body, signal } = {}) {
  const headers = { Accept: 'application/json' };
  if (current.token) headers.Authorization = 'Bearer ' + current.token;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch('/api/v1' + path + query(params), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Failure(0, 'decnet does not answer. Is it running, and is the network up?');
  }
  if (!response.ok && !(response.status === 503 && path === '/health' && (response.headers.get('Content-Type') || '').startsWith('application/json'))) throw await problem(response);
  return response.json();
}

export const get = (path, params, signal) => ask('GET', path, { params, signal });

export async function signIn(username, password) {
  const t = await ask('POST', '/auth/login', { body: { username, password } });
  if (t.must_change_password) {
    setSession({ token: t.access_token, username, mustChange: true });
    return;
  }
  current = { token: t.access_token, username };
  try {
    const config = await get('/config');
    setSession({ token: t.access_token, username, role: config.role });
  } catch (e) {
    signOut();
    throw e;
  }
}
