// What happened, newest first: problems, changes, and what the cloud set, path by path.
import { html, useState } from "./vendor/htm-preact-3.1.1.js";
import { state } from "./store.js";
import { t } from "./strings.en.js";

export function Timeline() {
  const [filter, setFilter] = useState("all");
  const events = [...state.events].reverse().filter((event) => filter === "all" || event.tone === filter);
  let day = "";
  return html`<div class="timeline"><h1 class="visually-hidden">${t.nav.timeline}</h1>
    <div class="bar" role="group" aria-label=${t.nav.timeline}>${Object.entries(t.events.filter).map(([name, text]) => html`<button class="chip" aria-pressed=${filter === name} onClick=${() => setFilter(name)}>${text}</button>`)}</div>
    ${events.length ? html`<ol>${events.map((event) => {
      const when = new Date(event.at), date = when.toLocaleDateString(t.language, { weekday: "long", day: "numeric", month: "long" });
      const header = date !== day && (day = date);
      return html`${header && html`<li class="day">${header}</li>`}<li class="event"><time datetime=${when.toISOString()}>${when.toLocaleTimeString(t.language, { hour12: false })}</time><span class="dot ${event.tone === "change" ? "wait" : event.tone}"></span>
        <div><b>${event.module}</b> ${(t.events[event.code] || (() => event.code))(event.facts)}
          ${(event.facts.changes || []).map((change) => html`<div class="change"><code>${change.path}</code> <del>${change.from ?? t.events.gone}</del> → <ins>${change.to ?? t.events.gone}</ins></div>`)}
          ${event.facts.more ? html`<div class="change">${t.events.more(event.facts.more)}</div>` : ""}
          ${event.facts.patch && html`<div class="change"><code>${JSON.stringify(event.facts.patch)}</code></div>`}</div></li>`;
    })}</ol>` : html`<p class="muted">${t.events.none}</p>`}</div>`;
}
