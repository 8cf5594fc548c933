// The frame of the page: signing in, navigation, the state of the whole, and the view that is open.
import { html, render, useEffect, useState } from "./vendor/htm-preact-3.1.1.js";
import { askMe, open, say } from "./connection.js";
import { cameraNames, on, set, state, verdict } from "./store.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";
import { Live } from "./live.js";
import { Health } from "./health.js";
import { Models } from "./models.js";
import { Setup } from "./setup.js";
import { Timeline } from "./timeline.js";

const VIEWS = { live: Live, health: Health, timeline: Timeline, models: Models, setup: Setup };
const TABS = ["live", "health", "timeline", "models"];

function useState_() {
  const [, tick] = useState(0);
  useEffect(() => {
    let due = 0;
    const later = () => { due ||= requestAnimationFrame(() => { due = 0; tick((n) => n + 1); }); };
    const off = [on("state", later), on("settings", later)];
    later(); // what came before this first paint told nobody
    return () => off.forEach((stop) => stop());
  }, []);
}

function route() {
  const [view, camera] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  return { view: VIEWS[view] ? view : "live", camera: camera || null };
}

export function go(view, camera) {
  location.hash = camera ? `/${view}/${encodeURIComponent(camera)}` : `/${view}`;
}

function App() {
  useState_();
  const [at, setAt] = useState(route());
  useEffect(() => { const moved = () => setAt(route()); addEventListener("hashchange", moved); moved(); return () => removeEventListener("hashchange", moved); }, []);
  useEffect(() => { theme(); }, [state.settings.theme]);
  useEffect(() => { say(); }, [state.settings.fps]);
  if (!state.me) return html`<main class="centre"><p class="muted">${t.connection.connecting}</p></main>`;
  if (state.me.refused) return html`<main class="centre"><div class="card"><h1>Vigie</h1><p>${state.me.refused}</p></div></main>`;
  if (!state.me.signed_in) return html`<${SignIn} />`;
  const View = VIEWS[at.view];
  return html`
    <header class="top">
      <a class="brand" href="#/live" aria-label="Vigie"><img src="/assets/icon.svg" alt="" width="26" height="26" /><span>Vigie</span></a>
      <nav aria-label="Views">${TABS.map((name) => html`<a href="#/${name}" aria-current=${at.view === name ? "page" : null}>${t.nav[name]}</a>`)}</nav>
      <${Verdict} />
      <${ThemeButton} />
      ${state.me.token_needed && html`<button class="icon" title=${t.signIn.out} aria-label=${t.signIn.out} onClick=${signOut}><${Icon} name="out" /></button>`}
    </header>
    ${state.link === "lost" && html`<div class="strip" role="status">${t.connection.lost}</div>`}
    <main class="view view-${at.view}"><${View} camera=${at.camera} go=${go} /></main>`;
}

function Verdict() {
  const now = verdict();
  const text = { link: state.link === "connecting" ? t.connection.connecting : t.connection.lost, starting: t.status.starting, hub: t.status.hub, modules: t.status.modules(now.count), cameras: t.status.cameras(now.count), attention: t.status.attention, well: t.status.well }[now.code];
  return html`<a class="verdict ${now.tone}" href="#/health"><span class="dot ${now.tone}"></span><span aria-live="polite">${text}</span></a>`;
}

function ThemeButton() {
  const order = ["auto", "light", "dark"], now = state.settings.theme;
  const label = t.live.theme[now];
  return html`<button class="icon" title=${label} aria-label=${label} onClick=${() => set({ theme: order[(order.indexOf(now) + 1) % 3] })}><${Icon} name=${{ auto: "auto", light: "sun", dark: "moon" }[now]} /></button>`;
}

function theme() {
  document.documentElement.dataset.theme = state.settings.theme;
}

function SignIn() {
  const [wrong, setWrong] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const token = new FormData(event.target).get("token");
    const answer = await fetch("/api/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
    setWrong(!answer.ok);
    if (answer.ok) start();
  };
  return html`<main class="centre"><form class="card sign" onSubmit=${submit}>
    <img src="/assets/icon.svg" alt="" width="44" height="44" /><h1>${t.signIn.title}</h1>
    <label>${t.signIn.token}<input name="token" type="password" autocomplete="current-password" required autofocus maxlength="512" /></label>
    ${wrong && html`<p class="wrong" role="alert">${t.signIn.wrong}</p>`}
    <button class="main">${t.signIn.submit}</button><p class="muted">${t.signIn.help}</p>
  </form></main>`;
}

async function signOut() {
  await fetch("/api/session", { method: "DELETE" });
  location.reload();
}

async function start() {
  try {
    const me = await askMe();
    if (me.signed_in) open();
  } catch (error) {
    state.me = { refused: error.message };
    set({});
  }
}

// A test and a person at the console look at the same thing.
globalThis.vigie = { state, cameraNames };
theme();
render(html`<${App} />`, document.getElementById("app"));
start();
