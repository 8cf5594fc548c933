// Words and pictures of what happened: objects, zones, lines. Used beside the picture and in the timeline.
import { html, useEffect, useRef } from "./vendor/htm-preact-3.1.1.js";
import { outline, stroke } from "./draw.js";
import { t } from "./strings.en.js";

export function told({ event }) {
  const words = t.told, seconds = t.duration(event.seconds || 0);
  switch (event.type) {
    case "object": return event.phase === "end" ? words.gone(event.label, seconds) : event.phase === "update" ? words.stays(event.label, seconds) : words.seen(event.label);
    case "zone": return event.phase === "new" ? words.entered(event.label, event.zone) : event.phase === "update" ? (event.speeding && !event.loitering ? words.speeds(event.label, event.zone, event.speed) : words.loiters(event.label, event.zone, seconds)) : words.left(event.label, event.zone, seconds);
    case "line": return words.crossed(event.label, event.line, words.direction[event.direction]);
    case "presence": return event.phase === "new" ? words.occupied(event.zone) : words.empty(event.zone, seconds);
    case "missing": return event.phase === "new" ? words.lacks(event.zone, event.inside, event.expected) : words.complete(event.zone, seconds);
    case "camera-down": return words.down(event.camera, why(event));
    case "camera-degraded": return words.degraded(event.camera, why(event));
    case "camera-up": return event.seconds ? words.up(event.camera, seconds, why(event), event.losses || 0) : words.first(event.camera);
    case "camera-changed": return words.changed[event.what](event.camera, event.before, event.after);
    case "evidence": return words.evidence[event.kind](event.camera);
    case "model-update": return words.update(`${event.model} ${event.version}`, t.update.phase[event.state] || event.state, event.reason);
    case "model-drift": return event.phase === "end" ? words.driftOver(event.camera, words.what[event.what]) : words.drift(event.camera, words.what[event.what]);
    case "model-throttled": return event.phase === "end" ? words.throttleOver() : words.throttled(Math.round(event.rate * 100), event.reason);
    case "test": return words.test(event.text);
    case "omitted": return words.omitted(event.items);
    default: return event.type;
  }
}

const why = (event) => event.reason || t.causes[event.cause] || event.cause;

export const ofCamera = ({ event }) => event.type.startsWith("camera-");
const BAD = ["camera-down", "camera-degraded"];
export const toneOf = ({ event }) => event.severity === "alert" || BAD.includes(event.type) ? "bad" : event.type === "object" ? "wait" : "good";

const KEPT = 80;
const bitmaps = new Map(); // picture id -> promise of an ImageBitmap

function load(id) {
  if (!bitmaps.has(id)) {
    bitmaps.set(id, fetch(`/api/pictures/${id}`).then((answer) => answer.ok ? answer.blob() : null).then((blob) => blob && createImageBitmap(blob)).catch(() => null));
    while (bitmaps.size > KEPT) bitmaps.delete(bitmaps.keys().next().value);
  }
  return bitmaps.get(id);
}

// The object and some of what is around it; whole: the whole picture.
export function Snapshot({ item, width, height, whole, label }) {
  const canvas = useRef(), { picture, event } = item;
  useEffect(() => {
    let here = true;
    if (!picture) return;
    // Only what is in view is fetched: a list may have hundreds.
    const sight = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      sight.disconnect();
      load(picture.id).then((bitmap) => { if (here && bitmap && canvas.current) drawSnapshot(canvas.current, bitmap, picture, event, width, height, whole); });
    });
    sight.observe(canvas.current);
    return () => { here = false; sight.disconnect(); };
  }, [picture?.id, width, height, whole]);
  return picture ? html`<canvas class="snapshot" ref=${canvas} role="img" aria-label=${label} style=${{ width: `${width}px`, aspectRatio: `${width} / ${height}` }}></canvas>` : html`<span class="snapshot none" aria-hidden="true" style=${{ width: `${width}px`, aspectRatio: `${width} / ${height}` }}></span>`;
}

function drawSnapshot(canvas, bitmap, { hw, box }, event, width, height, whole) {
  const ratio = devicePixelRatio || 1, [frameHigh, frameWide] = hw;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  let [x, y, w, h] = [0, 0, frameWide, frameHigh];
  if (box && !whole) {
    const aspect = width / height, margin = 1.7;
    h = Math.min(frameHigh, Math.max((box[3] - box[1]) * margin, (box[2] - box[0]) * margin / aspect, frameHigh * .18));
    w = Math.min(frameWide, h * aspect); h = w / aspect;
    x = Math.max(0, Math.min((box[0] + box[2]) / 2 - w / 2, frameWide - w));
    y = Math.max(0, Math.min((box[1] + box[3]) / 2 - h / 2, frameHigh - h));
  }
  const pen = canvas.getContext("2d"), scale = bitmap.width / frameWide, zoom = canvas.width / w;
  pen.drawImage(bitmap, x * scale, y * scale, w * scale, h * scale, 0, 0, canvas.width, canvas.height);
  if (event.path?.length > 1 && whole) {
    pen.beginPath();
    event.path.forEach(([px, py], n) => n ? pen.lineTo(px * canvas.width, py * canvas.height) : pen.moveTo(px * canvas.width, py * canvas.height));
    pen.lineWidth = 3 * ratio; pen.lineJoin = "round"; pen.strokeStyle = stroke(event.label); pen.setLineDash([7 * ratio, 5 * ratio]); pen.stroke(); pen.setLineDash([]);
  }
  if (box) outline(pen, (box[0] - x) * zoom, (box[1] - y) * zoom, (box[2] - box[0]) * zoom, (box[3] - box[1]) * zoom, stroke(event.label || ""), Math.max(1, Math.round(1.6 * ratio)), ratio);
}

// One event alone: its picture, where the object went, all that is known of it.
export function Detail({ item, onClose }) {
  const dialog = useRef(), { event, picture } = item;
  useEffect(() => { dialog.current.showModal(); }, []);
  const wide = Math.min(860, innerWidth - 48), high = picture ? Math.round(wide * picture.hw[0] / picture.hw[1]) : 0;
  const when = (text) => new Date(text).toLocaleString(t.language, { hour12: false });
  const rows = [
    [t.told.camera, event.camera], [t.told.began, when(event.started_at)], [t.told.at, when(event.at)], [t.told.lasted, event.seconds ? t.duration(event.seconds) : null],
    [t.told.score, event.score && `${Math.round(event.score * 100)} %`], [t.told.inside, event.inside], [t.told.track, event.track || (event.type === "object" ? event.id : null)],
    ...(event.stays || []).map((stay) => [t.told.stay(stay.zone), t.duration(stay.seconds)]), [t.told.key, event.key],
  ].filter(([, value]) => value !== undefined && value !== null && value !== "");
  return html`<dialog class="detail" ref=${dialog} onClose=${onClose} onClick=${(click) => { if (click.target === dialog.current) dialog.current.close(); }} aria-label=${told(item)}>
    <header><h2>${event.severity === "alert" && html`<span class="alert">${t.told.alert}</span>`}${told(item)}</h2><button class="plain" autofocus onClick=${() => dialog.current.close()}>${t.told.close}</button></header>
    ${picture ? html`<${Snapshot} item=${item} width=${wide} height=${high} whole label=${told(item)} />` : html`<p class="muted">${t.told.noPicture}</p>`}
    <dl>${rows.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></dialog>`;
}
