// One camera: picture, boxes, what state it is in. Drawing goes past Preact; only words are rendered by it.
import { html, useEffect, useRef, useState } from "./vendor/htm-preact-3.1.1.js";
import { show } from "./connection.js";
import { drawBoxes, follow } from "./draw.js";
import { told, toneOf } from "./happened.js";
import { cameraState, freshOf, on, shapesOf, state } from "./store.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

// Older than this is no live picture any more; shown well within three seconds.
const STILL_MS = 2200;

export function useTick(ms) {
  const [, tick] = useState(0);
  useEffect(() => { const timer = setInterval(() => tick((n) => n + 1), ms); return () => clearInterval(timer); }, [ms]);
}

export function summary(head) {
  const counts = new Map();
  for (const [label] of head?.boxes || []) counts.set(label, (counts.get(label) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => `${count} ${label}`).join(", ");
}

export function trouble(name, picture) {
  const camera = cameraState(name), numbers = state.numbers;
  if (state.link !== "open") return { title: t.connection.lost };
  const still = picture ? performance.now() - picture.at : Infinity;
  const limit = Math.max(STILL_MS, 2500 / state.settings.fps);
  if (camera.state === "failed") return { title: t.tile.state.failed, text: camera.reason };
  if (camera.state === "finished" && still > limit) return { title: t.tile.state.finished, text: t.tile.finished, calm: true };
  if (still <= limit) return null;
  if (numbers?.hub?.viewer === false || numbers?.hub?.camera === false) return { title: t.tile.hubAway, text: picture ? t.tile.still(still / 1000) : null };
  if (state.modules.camera?.away) return { title: t.status.modules(1), text: picture ? t.tile.still(still / 1000) : null };
  if (!picture) return { title: t.tile.waiting, calm: true };
  return { title: t.tile.still(still / 1000), text: camera.state === "connecting" ? camera.reason || t.tile.state.connecting : null };
}

// A zone or line at which something has just happened: whether it is lit, and as what.
const lit = (name) => (label) => {
  const now = freshOf(name).find(({ event, at }) => (event.zone || event.line) === label && performance.now() - at < 1500);
  return now && (now.event.severity === "alert" ? "alert" : "event");
};

// A trial that says nothing for this long holds no picture back.
const TRIAL_SILENT_MS = 1500;

// Pictures that wait for what the model on trial saw in the very frame, and the other way round.
const HELD_MAX = 16;

function hold(kept, key, value) {
  kept.set(key, value);
  while (kept.size > HELD_MAX) {
    const oldest = kept.keys().next().value;
    kept.get(oldest).bitmap?.close();
    kept.delete(oldest);
  }
}

export function Tile({ name, onOpen, large, preview, edits, compare, children }) {
  const picture = useRef(), boxes = useRef(), box = useRef(), last = useRef(null), shown = useRef(0), trails = useRef(new Map());
  const [ratio, setRatio] = useState(null), [, setAlone] = useState(0);
  useTick(500);

  const wished = useRef({});
  wished.current = { preview, edits, compare };
  const trial = useRef(null);
  // Which frame is compared just now, for who looks at the page from outside.
  const marked = () => (boxes.current.dataset.compared = (wished.current.compare && trial.current?.seq) ?? "", true);
  const redraw = () => boxes.current && marked() && drawBoxes(boxes.current, last.current, state.settings, {
    trial: wished.current.compare ? trial.current : null, preview: wished.current.preview, trails: trails.current,
    shapes: wished.current.edits ? null : shapesOf(name), counts: (label) => state.counts[`${name}/${label}`], lit: lit(name),
  });
  useEffect(redraw, [preview, edits, compare]);
  useEffect(() => {
    let stop = null, seen = true, width = 0;
    const pictures = new Map(), trials = new Map();
    let heardAt = -Infinity;
    const draw = (head, bitmap) => {
      if (!wished.current.compare) return paint(head, bitmap);
      const seen = trials.get(head.trace);
      if (!seen && performance.now() - heardAt > TRIAL_SILENT_MS) { trial.current = null; return paint(head, bitmap); }
      if (!seen) { hold(pictures, head.trace, { head, bitmap }); return true; }
      trial.current = seen;
      return paint(head, bitmap);
    };
    const compared = on("trial", (seen) => {
      if (seen.camera !== name || !wished.current.compare) return;
      heardAt = performance.now();
      if (seen.trace === last.current?.trace) { trial.current = seen; return redraw(); }
      const held = pictures.get(seen.trace);
      if (!held) return hold(trials, seen.trace, seen);
      pictures.delete(seen.trace);
      if (held.head.seq >= (last.current?.seq ?? -1)) { trial.current = seen; paint(held.head, held.bitmap); }
      held.bitmap.close();
    });
    const paint = (head, bitmap) => {
      const canvas = picture.current;
      if (!canvas) return;
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
      if ((head.boxes === null) !== (last.current?.boxes === null)) setAlone((n) => n + 1);
      last.current = head;
      trails.current = follow(trails.current, head);
      shown.current++;
      setRatio(`${head.hw[1]} / ${head.hw[0]}`);
      redraw();
      canvas.dataset.seq = head.seq;
    };
    const again = () => {
      stop?.(); stop = null;
      const wanted = box.current ? box.current.clientWidth * (devicePixelRatio || 1) : 0;
      if (seen && wanted) { width = wanted; stop = show(name, wanted, draw); }
    };
    const sight = new IntersectionObserver(([entry]) => { if (entry.isIntersecting !== seen) { seen = entry.isIntersecting; again(); } });
    const size = new ResizeObserver(() => { redraw(); if (Math.abs(box.current.clientWidth * (devicePixelRatio || 1) - width) > 8) again(); });
    sight.observe(box.current);
    size.observe(box.current);
    again();
    const off = on("settings", redraw);
    trails.current = new Map();
    return () => { stop?.(); sight.disconnect(); size.disconnect(); off(); compared(); for (const held of pictures.values()) held.bitmap.close(); };
  }, [name]);

  const latest = state.pictures[name];
  const head = last.current, camera = cameraState(name), wrong = trouble(name, latest);
  const tone = wrong ? (wrong.calm ? "wait" : "bad") : camera.frozen ? "warn" : "good";
  // What was in the last picture is not what is there now.
  const list = wrong ? "" : summary(head);
  return html`
    <figure class="tile ${large ? "tile-large" : ""}" data-camera=${name} data-state=${wrong ? (wrong.calm ? "calm" : "trouble") : "live"}>
      <div class="stage" ref=${box} style=${{ aspectRatio: ratio || "16 / 9", "--ratio": (ratio || "16 / 9").replace(" / ", "/") }}>
        <canvas class="picture" ref=${picture} role="img" aria-label=${t.tile.picture(name, list)}></canvas>
        <canvas class="boxes" ref=${boxes} aria-hidden="true"></canvas>
        ${children}
        ${wrong && html`<div class="veil" role=${wrong.calm ? null : "status"}><div>
          <${Icon} name=${wrong.calm ? "clock" : "off"} /><b>${wrong.title}</b>${wrong.text && html`<span>${wrong.text}</span>`}
        </div></div>`}
        ${!wrong && head && head.boxes === null && html`<div class="banner">${t.tile.noDetections}</div>`}
        ${!wrong && html`<ul class="toasts">${freshOf(name).slice(0, 3).map(({ event }) => html`<li key=${event.key} class=${event.severity}><span class="dot ${toneOf({ event })}"></span>${told({ event })}</li>`)}</ul>`}
        ${!wrong && camera.frozen && html`<div class="banner">${t.tile.frozen}</div>`}
      </div>
      <figcaption>
        <span class="dot ${tone}"></span>
        <b class="name">${name}</b>
        <span class="seen" title=${list}>${list}</span>
        ${head && !wrong && html`<span class="age" title=${t.tile.age}>${Math.round(head.age_ms)} ms</span>`}
        <button class="icon" title=${t.tile.full} aria-label=${`${t.tile.full}: ${name}`} onClick=${() => full(box.current)}><${Icon} name="full" /></button>
        ${onOpen && html`<button class="icon" title=${t.tile.open(name)} aria-label=${t.tile.open(name)} onClick=${onOpen}><${Icon} name="open" /></button>`}
      </figcaption>
    </figure>`;
}

export function full(element) {
  if (document.fullscreenElement) document.exitFullscreen();
  else element.requestFullscreen?.();
}
