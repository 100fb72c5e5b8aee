// The address bar is the state of every view, so that each can be linked to.

import { useEffect, useState } from './vendor/htm-preact.js';

const watchers = new Set();

export function go(path, params, replace = false) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params || {})) if (v !== '' && v != null) q.set(k, v);
  const s = q.toString();
  history[replace ? 'replaceState' : 'pushState'](null, '', path + (s ? '?' + s : ''));
  watchers.forEach((f) => f());
}

const here = () => ({ path: location.pathname, params: Object.fromEntries(new URLSearchParams(location.search)) });

export function useRoute() {
  const [at, set] = useState(here);
  useEffect(() => {
    const f = () => set(here());
    watchers.add(f);
    addEventListener('popstate', f);
    return () => { watchers.delete(f); removeEventListener('popstate', f); };
  }, []);
  return at;
}

// Links of our own change the view without loading the page again.
export function interceptLinks() {
  document.addEventListener('click', (e) => {
    if (e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = e.target.closest('a[href^="/"]');
    if (!a || a.target || a.hasAttribute('download') || a.hasAttribute('data-plain')) return;
    e.preventDefault();
    const u = new URL(a.href);
    go(u.pathname, Object.fromEntries(u.searchParams));
    scrollTo(0, 0);
  });
}

export const eventsLink = (search, more = {}) => '/events?' + new URLSearchParams({ search, ...more });
