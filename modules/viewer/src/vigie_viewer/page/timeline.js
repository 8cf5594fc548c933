// What happened, newest first: objects, zones and lines with their picture; problems; what the cloud set, path by path.
import { html, useEffect, useState } from "./vendor/htm-preact-3.1.1.js";
import { show } from "./connection.js";
import { cameraNames, state } from "./store.js";
import { Detail, Snapshot, ofCamera, toneOf, told } from "./happened.js";
import { t } from "./strings.en.js";

const PAGE = 100;
const KEEPS = {
  all: () => true,
  alerts: (one) => one.item?.event.severity === "alert",
  rules: (one) => one.item && one.item.event.type !== "object" && !ofCamera(one.item),
  objects: (one) => one.item?.event.type === "object",
  problems: (one) => one.event?.tone === "bad" || (one.item && ofCamera(one.item)),
  changes: (one) => one.event?.tone === "change",
};

// What the page noticed of a camera by itself, and what the camera module tells of the very outage, are one thing.
const NOTICED = ["camera", "frozen", "moves"], SAME_MS = 20000;

export function everything() {
  const told = [...state.told.values()], outages = told.filter(ofCamera);
  const twice = ({ at, code, facts }) => NOTICED.includes(code) && outages.some(({ event }) => event.camera === facts.camera && [event.started_at, event.at].some((when) => Math.abs(Date.parse(when) - at) < SAME_MS));
  const of = [...state.events.filter((event) => !twice(event)).map((event) => ({ at: event.at, event })), ...told.map((item) => ({ at: Date.parse(item.event.at), item }))];
  return of.sort((a, b) => b.at - a.at);
}

export function Timeline() {
  const [filter, setFilter] = useState("all"), [most, setMost] = useState(PAGE), [open, setOpen] = useState(null);
  const all = everything(), rows = all.filter(KEEPS[filter]);
  const cameras = cameraNames();
  // Pictures are made for who looks: an event that happens while this list is open gets one too.
  useEffect(() => { const stops = cameras.map((name) => show(name, 640, () => {}, 4)); return () => stops.forEach((stop) => stop()); }, [cameras.join("\n")]);
  let day = "";
  return html`<div class="timeline"><h1 class="visually-hidden">${t.nav.timeline}</h1>
    <div class="bar chips" role="group" aria-label=${t.nav.timeline}>${Object.keys(KEEPS).map((name) => html`<button class="chip" aria-pressed=${filter === name} onClick=${() => { setFilter(name); setMost(PAGE); }}>${t.events.filter[name]} <span class="count">${all.filter(KEEPS[name]).length}</span></button>`)}</div>
    ${rows.length ? html`<ol>${rows.slice(0, most).map((row) => {
      const when = new Date(row.at), date = when.toLocaleDateString(t.language, { weekday: "long", day: "numeric", month: "long" });
      const header = date !== day && (day = date);
      return html`${header && html`<li class="day" key=${date}>${header}</li>`}${row.item ? html`<${Told} key=${row.item.event.id} item=${row.item} when=${when} onOpen=${() => setOpen(row.item)} />` : html`<${Own} key=${`${row.at}${row.event.module}${row.event.code}${JSON.stringify(row.event.facts)}`} event=${row.event} when=${when} />`}`;
    })}</ol>${rows.length > most && html`<p class="more"><button class="plain" onClick=${() => setMost(most + PAGE)}>${t.events.showMore(rows.length - most)}</button></p>`}` : html`<p class="card muted">${t.events.none[filter]}</p>`}
    ${open && html`<${Detail} item=${open} onClose=${() => setOpen(null)} />`}</div>`;
}

const Time = ({ when }) => html`<time datetime=${when.toISOString()}>${when.toLocaleTimeString(t.language, { hour12: false })}</time>`;

function Told({ item, when, onOpen }) {
  const { event } = item;
  return html`<li class="event with-picture"><${Time} when=${when} /><span class="dot ${toneOf(item)}"></span>
    <button class="told" onClick=${onOpen}><${Snapshot} item=${item} width=${72} height=${54} label="" />
      <span><b>${told(item)}</b><small>${event.severity === "alert" && html`<span class="alert">${t.told.alert}</span>`}${event.camera}${event.score ? ` · ${Math.round(event.score * 100)} %` : ""}</small></span></button></li>`;
}

function Own({ event, when }) {
  return html`<li class="event"><${Time} when=${when} /><span class="dot ${event.tone === "change" ? "wait" : event.tone}"></span>
    <div><b>${t.module[event.module] || event.module}</b> ${(t.events[event.code] || (() => event.code))(event.facts)}
      ${(event.facts.changes || []).map((change) => html`<div class="change"><code>${change.path}</code> <del>${change.from ?? t.events.gone}</del> → <ins>${change.to ?? t.events.gone}</ins></div>`)}
      ${event.facts.more ? html`<div class="change">${t.events.more(event.facts.more)}</div>` : ""}
      ${event.facts.patch && html`<div class="change"><code>${JSON.stringify(event.facts.patch)}</code></div>`}</div></li>`;
}
