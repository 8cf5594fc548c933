// All cameras, or one of them with what is in its picture.
import { html, useState } from "./vendor/htm-preact-3.1.1.js";
import { cameraNames, cameraState, set, state } from "./store.js";
import { shortTrack, stroke } from "./draw.js";
import { Detail, Snapshot, told, toneOf } from "./happened.js";
import { Tile, useTick } from "./tile.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";
import { Drawing, Editor, useShapes } from "./edit.js";

const RATES = [1, 5, 10, 15];

export function Live({ camera, go }) {
  const names = cameraNames();
  if (!names.length) return html`<div class="empty"><img src="/assets/icon.svg" alt="" width="56" height="56" /><h1>${t.live.none}</h1><p class="muted">${t.live.noneText}</p><a class="button main" href="#/setup"><${Icon} name="plus" />${t.live.add}</a></div>`;
  if (camera && names.includes(camera)) return html`<${Single} name=${camera} go=${go} names=${names} />`;
  if (names.length === 1) return html`<${Single} name=${names[0]} go=${go} names=${names} />`;
  return html`<${Bar} /><div class="grid size-${state.settings.size}" data-count=${names.length}>
    ${names.map((name) => html`<${Tile} key=${name} name=${name} onOpen=${() => go("live", name)} />`)}</div>`;
}

function Bar({ children }) {
  const { boxes, labels, trails, shapes, fps } = state.settings;
  return html`<div class="bar">
    ${children}<a class="add" href="#/setup"><${Icon} name="plus" />${t.live.add}</a>
    <label class="check"><input type="checkbox" checked=${boxes} onChange=${(e) => set({ boxes: e.target.checked })} />${t.live.overlay}</label>
    <label class="check"><input type="checkbox" checked=${labels} disabled=${!boxes} onChange=${(e) => set({ labels: e.target.checked })} />${t.live.labels}</label>
    <label class="check"><input type="checkbox" checked=${trails} disabled=${!boxes} onChange=${(e) => set({ trails: e.target.checked })} />${t.live.trails}</label>
    <label class="check"><input type="checkbox" checked=${shapes} onChange=${(e) => set({ shapes: e.target.checked })} />${t.live.shapes}</label>
    <label class="pick">${t.live.rate}<select value=${fps} onChange=${(e) => set({ fps: Number(e.target.value) })}>
      ${RATES.map((rate) => html`<option value=${rate} selected=${rate === fps}>${rate === 1 ? `1 (${t.live.stills.toLowerCase()})` : rate}</option>`)}</select></label>
  </div>`;
}

function Single({ name, go, names }) {
  const [edits, setEdits] = useState(false), [tool, setTool] = useState(null), [preview, setPreview] = useState(null);
  const [shapes, setShapes] = useShapes(name);
  const done = (points) => {
    const count = shapes.filter((shape) => shape.kind === tool).length + 1;
    const other = tool === "regions" ? shapes.filter((shape) => shape.kind !== tool) : shapes;
    setShapes([...other, { kind: tool, label: tool === "regions" ? "region" : `${t.edit.one[tool].toLowerCase()}-${count}`, points }]);
    setTool(null);
  };
  const toggle = html`<button class=${edits ? "main" : "plain"} onClick=${() => { setEdits(!edits); setTool(null); }}><${Icon} name=${edits ? "check" : "edit"} />${edits ? t.edit.close : t.edit.open}</button>`;
  return html`<${Bar}>${names.length > 1 && html`<a class="backlink" href="#/live"><${Icon} name="back" />${t.tile.back}</a>`}<h1>${name}</h1>${toggle}</${Bar}>
    <div class="single"><${Tile} key=${name} name=${name} large preview=${preview} edits=${edits}>${edits && html`<${Drawing} tool=${tool} shapes=${shapes} onChange=${setShapes} onDone=${done} />`}</${Tile}>
    <aside>${edits ? html`<${Editor} name=${name} tool=${tool} setTool=${setTool} shapes=${shapes} setShapes=${setShapes} setPreview=${setPreview} />` : html`<${Seen} name=${name} /><${Latest} name=${name} /><${Facts} name=${name} />`}</aside></div>`;
}

function Seen({ name }) {
  useTick(150);
  const head = state.pictures[name]?.head;
  const boxes = [...(head?.boxes || [])].sort((a, b) => b[2] - a[2]);
  return html`<section class="card seen-list"><h2>${t.live.seen}</h2>
    ${boxes.length ? html`<ul>${boxes.slice(0, 10).map(([label, , score, , , , , track]) => html`<li><span class="swatch" style=${{ background: stroke(label) }}></span><span class="grow">${label}${track && html` <small class="num">#${shortTrack(track)}</small>`}</span><meter min="0" max="1" value=${score} aria-label=${label}></meter><span class="num">${(score * 100).toFixed(0)} %</span></li>`)}</ul>${boxes.length > 10 && html`<p class="muted small">${t.live.more(boxes.length - 10)}</p>`}` : html`<p class="muted">${head && head.boxes === null ? t.tile.noDetections : t.live.nothing}</p>`}</section>`;
}

// The newest events of this camera, with their pictures.
function Latest({ name }) {
  const [open, setOpen] = useState(null);
  useTick(1000);
  const items = [...state.told.values()].filter((item) => item.event.camera === name).sort((a, b) => Date.parse(b.event.at) - Date.parse(a.event.at)).slice(0, 6);
  const off = state.modules.sync?.desired?.upstream === "detections";
  return html`<section class="card latest"><h2>${t.live.latest}<a class="all" href="#/timeline">${t.live.everything}</a></h2>
    ${items.length ? html`<ul>${items.map((item) => html`<li key=${item.event.id}><button class="told" onClick=${() => setOpen(item)}><${Snapshot} item=${item} width=${64} height=${48} label="" />
      <span><b>${told(item)}</b><small><span class="dot ${toneOf(item)}"></span>${new Date(item.event.at).toLocaleTimeString(t.language, { hour12: false })}</small></span></button></li>`)}</ul>` : html`<p class="muted">${off ? t.live.eventsOff : t.live.noEvents}</p>`}
    ${open && html`<${Detail} item=${open} onClose=${() => setOpen(null)} />`}</section>`;
}

function Facts({ name }) {
  useTick(1000);
  const camera = cameraState(name), rate = state.numbers?.cameras?.[name];
  const rows = [
    [t.facts.state, t.tile.state[camera.state] || t.tile.state.unknown], [t.facts.reason, camera.reason], [t.facts.source, camera.source], [t.facts.size, camera.size],
    [t.facts.captured, rate && t.facts.perSecond(rate.captured)], [t.facts.inferred, rate && t.facts.perSecond(rate.inferred)], [t.facts.pace, camera.pace], [t.live.model, state.pictures[name]?.head?.model],
  ].filter(([, value]) => value !== undefined && value !== null && value !== "");
  return html`<section class="card"><h2>${t.live.facts}</h2><dl>${rows.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></section>`;
}
