// Editing where looking beats typing. Every edit is a merge patch of one module's desired properties and shown as that.
import { html, useEffect, useRef, useState } from "./vendor/htm-preact-3.1.1.js";
import { regionOf, state } from "./store.js";
import { applyPatch, Patch, Said, undoPatch } from "./hub.js";
import { paint } from "./shapes.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

const round = (value) => Math.round(value * 1e4) / 1e4;
const KINDS = ["zones", "lines", "masks", "regions"];
// Zones and lines make events, which sync does; masks hide pixels, which the camera does; preprocess looks at regions.
const OWNER = { zones: "sync", lines: "sync", masks: "camera", regions: "preprocess" };
const TWO_POINTS = ["lines", "regions"];

// Shapes of one camera: named, points in shares of the picture, so that another resolution changes nothing.
export function useShapes(name) {
  const have = (kind) => kind === "regions" ? regionOf(name) : state.modules[OWNER[kind]]?.desired?.cameras?.[name]?.[kind] || {};
  const [shapes, setShapes] = useState(() => KINDS.flatMap((kind) => Object.entries(have(kind)).map(([label, value]) => ({ kind, label, points: value.points || value, base: true }))));
  return [shapes, setShapes];
}

const boxOf = (points) => [0, 1].flatMap((end) => [0, 1].map((axis) => (end ? Math.max : Math.min)(...points.map((point) => point[axis]))));

export function regionPatch(name, [shape]) {
  return { regions: { [name]: shape.gone ? null : { box: boxOf(shape.points) } } };
}

// Which desired properties a module takes is in the schema that it publishes itself.
export function accepts(module, path) {
  const schema = state.modules[module]?.schema;
  if (!schema) return false;
  const defs = schema.$defs || {};
  const whole = (part) => { let at = part; while (at?.$ref) at = defs[at.$ref.split("/").pop()]; return at || {}; };
  let options = [whole(schema)];
  for (const key of path) {
    options = options.flatMap((at) => at.anyOf ? at.anyOf.map(whole) : [at]);
    options = options.map((at) => at.properties?.[key] || (typeof at.additionalProperties === "object" ? at.additionalProperties : null)).filter(Boolean).map(whole);
    if (!options.length) return false;
  }
  return true;
}

export function shapesPatch(name, shapes) {
  const patch = {};
  for (const kind of KINDS) {
    const of = shapes.filter((shape) => shape.kind === kind);
    if (of.length) patch[kind] = Object.fromEntries(of.map((shape) => [shape.label, shape.gone ? null : { points: shape.points }]));
  }
  return { cameras: { [name]: patch } };
}

export function Drawing({ tool, shapes, onChange, onDone }) {
  const canvas = useRef(), draft = useRef([]), hover = useRef(null), drag = useRef(null);
  const [, again] = useState(0);
  const at = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return [Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), Math.min(1, Math.max(0, (event.clientY - box.top) / box.height))].map(round);
  };
  const near = (a, b) => { const box = canvas.current.getBoundingClientRect(); return Math.hypot((a[0] - b[0]) * box.width, (a[1] - b[1]) * box.height) < 14; };
  const finish = () => {
    const points = draft.current, least = TWO_POINTS.includes(tool) ? 2 : 3;
    draft.current = [];
    if (points.length >= least) onDone(points);
    again((n) => n + 1);
  };
  const down = (event) => {
    const point = at(event);
    if (!tool) {
      for (const [index, shape] of shapes.entries()) {
        const corner = shape.gone ? -1 : shape.points.findIndex((one) => near(one, point));
        if (corner >= 0) { drag.current = [index, corner]; canvas.current.setPointerCapture(event.pointerId); return; }
      }
      return;
    }
    event.preventDefault();
    const points = draft.current;
    if (!TWO_POINTS.includes(tool) && points.length >= 3 && near(points[0], point)) return finish();
    draft.current = [...points, point];
    if (TWO_POINTS.includes(tool) && draft.current.length === 2) return finish();
    again((n) => n + 1);
  };
  const move = (event) => {
    hover.current = at(event);
    if (drag.current) {
      const [index, corner] = drag.current;
      onChange(shapes.map((shape, n) => n === index ? { ...shape, changed: true, points: shape.points.map((point, m) => m === corner ? hover.current : point) } : shape));
    } else if (draft.current.length) again((n) => n + 1);
  };
  const key = (event) => {
    if (event.key === "Escape") { draft.current = []; again((n) => n + 1); }
    if (event.key === "Enter") finish();
  };
  useEffect(() => { paint(canvas.current, shapes, draft.current, hover.current, tool); });
  useEffect(() => { const size = new ResizeObserver(() => paint(canvas.current, shapes, draft.current, null, tool)); size.observe(canvas.current); return () => size.disconnect(); }, [shapes, tool]);
  useEffect(() => { draft.current = []; if (tool) canvas.current.focus(); }, [tool]);
  return html`<canvas class="drawing ${tool ? "draws" : ""}" ref=${canvas} tabindex="0" role="application" aria-label=${tool ? t.edit.hint[tool] : t.edit.drag}
    onPointerDown=${down} onPointerMove=${move} onPointerUp=${() => { drag.current = null; }} onDblClick=${finish} onKeyDown=${key}></canvas>`;
}

// What would stay of the picture that is on the screen.
function effect(head, score, classes) {
  const boxes = head?.boxes || [], stay = boxes.filter(([label, , sure]) => sure >= (score ?? 0) && (!classes || classes.includes(label)));
  return head?.boxes ? t.edit.effect(stay.length, boxes.length) : "";
}

// What a rate would mean for the frames of this camera, as they come now.
function slower(name, fps) {
  const now = state.numbers?.cameras?.[name]?.captured;
  return now ? t.edit.rate(now, Math.min(now, fps)) : "";
}

export function Editor({ name, tool, setTool, shapes, setShapes, preview, setPreview }) {
  const inference = state.modules.inference?.desired || {}, camera = state.modules.camera?.desired?.cameras?.[name] || {};
  const [score, setScore] = useState(inference.score ?? null), [fps, setFps] = useState(camera.fps ?? null), [source, setSource] = useState(camera.source ?? "");
  const [said, setSaid] = useState(null), [undo, setUndo] = useState(0);
  const head = state.pictures[name]?.head;
  // In the order in which they were seen: one that comes later must not move the box under somebody's pointer.
  for (const label of [...(inference.classes || []), ...(head?.boxes || []).map(([label]) => label).sort()]) known(name)[label] = true;
  const labels = Object.keys(known(name));
  const [classes, setClasses] = useState(inference.classes ?? null);
  useEffect(() => setPreview({ score, classes }), [score, classes]);
  useEffect(() => () => setPreview(null), []);

  const drawn = shapes.filter((shape) => !shape.base || shape.changed || shape.gone);
  const patches = [];
  const infer = {};
  if (score !== (inference.score ?? null)) infer.score = score;
  if (JSON.stringify(classes) !== JSON.stringify(inference.classes ?? null)) infer.classes = classes;
  if (Object.keys(infer).length) patches.push({ module: "inference", patch: infer, ok: true });
  const own = {};
  if (fps !== (camera.fps ?? null)) own.fps = fps;
  if (source !== (camera.source ?? "")) own.source = source;
  if (Object.keys(own).length) patches.push({ module: "camera", patch: { cameras: { [name]: own } }, ok: !String(own.source || "").includes(":***@"), secret: true });
  for (const kind of KINDS) {
    const of = drawn.filter((shape) => shape.kind === kind);
    const path = kind === "regions" ? ["regions", name] : ["cameras", name, kind];
    if (of.length) patches.push({ module: OWNER[kind], patch: kind === "regions" ? regionPatch(name, of) : shapesPatch(name, of), ok: accepts(OWNER[kind], path), kind });
  }
  const done = ({ ok, told }) => {
    if (ok) { setUndo(told.undo); setSaid({ text: t.edit.sent(told.version), good: true }); } else setSaid({ text: told.error, bad: true });
    return ok;
  };
  const apply = async (one) => {
    setSaid({ text: t.edit.sending });
    if (done(await applyPatch(one.module, one.patch)) && one.kind) setShapes(shapes.filter((shape) => !(shape.kind === one.kind && shape.gone)).map((shape) => shape.kind === one.kind ? { ...shape, base: true, changed: false } : shape));
  };
  const back = async () => { setSaid({ text: t.edit.sending }); done(await undoPatch()); };
  const refused = refusals(["camera", "inference", "sync", "preprocess"]);
  return html`<section class="card editor"><h2>${t.edit.draw}</h2>
      <div class="tools" role="group" aria-label=${t.edit.draw}>${KINDS.map((kind) => html`<button class="plain" aria-pressed=${tool === kind} onClick=${() => setTool(tool === kind ? null : kind)}><${Icon} name=${kind.slice(0, -1)} />${t.edit.kind[kind]}</button>`)}</div>
      <p class="muted small">${tool ? t.edit.hint[tool] : shapes.length ? t.edit.drag : t.edit.none}</p>
      <ul class="shapes">${shapes.map((shape, index) => shape.gone ? null : html`<li><span class="tag">${t.edit.one[shape.kind]}</span>
        <input type="text" aria-label=${t.edit.name} value=${shape.label} disabled=${shape.base || shape.kind === "regions"} pattern="[a-z0-9][a-z0-9_\\-]*" maxlength="64" onChange=${(event) => setShapes(shapes.map((one, n) => n === index ? { ...one, label: event.target.value.toLowerCase().replace(/[^a-z0-9_-]+/g, "-").replace(/^[-_]+/, "") || one.label } : one))} />
        <button class="icon" aria-label=${t.edit.remove(shape.label)} onClick=${() => setShapes(shape.base ? shapes.map((one, n) => n === index ? { ...one, gone: true } : one) : shapes.filter((_, n) => n !== index))}><${Icon} name="trash" /></button></li>`)}</ul></section>
    <section class="card editor"><h2>${t.edit.detect}</h2>
      <label class="range"><span>${t.edit.score}</span><output>${score === null ? t.edit.modelsOwn : score.toFixed(2)}</output><input type="range" min="0" max="1" step="0.01" value=${score ?? lowest(head) ?? 0.4} onInput=${(event) => setScore(Number(event.target.value))} /></label>
      <p class="muted small" aria-live="polite">${effect(head, score, classes)}${score !== null && score < (inference.score ?? 1) ? ` ${t.edit.lower}` : ""}</p>
      <fieldset class="classes"><legend>${t.edit.classes}</legend><label class="check"><input type="checkbox" checked=${classes === null} onChange=${(event) => setClasses(event.target.checked ? null : labels)} />${t.edit.every}</label>
        ${labels.map((label) => html`<label class="check" key=${label}><input type="checkbox" disabled=${classes === null} checked=${classes === null || classes.includes(label)} onChange=${(event) => setClasses(event.target.checked ? [...classes, label].sort() : classes.length > 1 ? classes.filter((one) => one !== label) : classes)} />${label}</label>`)}</fieldset>
      <label class="field">${t.edit.fps}<input type="number" min="0.1" max="240" step="any" placeholder=${t.edit.unlimited} value=${fps ?? ""} onInput=${(event) => setFps(event.target.value ? Number(event.target.value) : null)} /></label>
      ${fps !== null && html`<p class="muted small">${slower(name, fps)}</p>`}
      <label class="field">${t.edit.source}<input type="text" value=${source} maxlength="2048" spellcheck="false" autocomplete="off" onInput=${(event) => setSource(event.target.value)} /></label></section>
    <section class="card editor patches"><h2>${t.edit.patch}</h2>
      ${patches.length ? patches.map((one) => html`<${Patch} one=${one} note=${one.ok ? null : one.secret ? t.edit.hidden : t.edit.notYet(one.kind)} onApply=${() => apply(one)} say=${setSaid} />`) : html`<p class="muted">${t.edit.nothing}</p>`}
      ${!state.me.edits && html`<p class="muted small">${t.edit.cloudOwns}</p>`}
      ${state.me.edits && undo > 0 && html`<button class="plain" onClick=${back}><${Icon} name="undo" />${t.edit.undo}</button>`}
      <${Said} said=${said} />
      ${refused.map(([path, why]) => html`<p class="wrong">${path}: ${why}</p>`)}</section>`;
}

const labelsSeen = {};
const known = (name) => (labelsSeen[name] ||= {});
const lowest = (head) => head?.boxes?.length ? Math.floor(Math.min(...head.boxes.map((box) => box[2])) * 100) / 100 : null;

function refusals(modules) {
  return modules.flatMap((module) => Object.entries(state.modules[module]?.reported || {}).filter(([, value]) => value?.ac >= 400).map(([key, value]) => [`${module}.${key}`, value.ad]));
}
