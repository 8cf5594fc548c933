// What was found, over its picture, in device pixels so that lines are crisp. Frame pixels in, canvas out.
import { fit } from "./canvas.js";
import { paintShapes } from "./shapes.js";

// The same list and the same rule as vigie.vision.draw has for pictures in files.
const HUES = [168, 28, 212, 328, 52, 264, 4, 120, 190, 300, 80, 236];
const hues = new Map();

export function hue(label) {
  if (!hues.has(label)) {
    let sum = 0;
    for (const letter of label) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
    let at = sum % HUES.length;
    const taken = new Set(hues.values());
    for (let tries = 0; tries < HUES.length && taken.has(HUES[at]); tries++) at = (at + 1) % HUES.length;
    hues.set(label, HUES[at]);
  }
  return hues.get(label);
}

export const TRIAL_TONES = { serving: "hsl(185 90% 62%)", trial: "hsl(318 95% 68%)" };
export const stroke = (label) => `hsl(${hue(label)} 88% 60%)`;
export const shortTrack = (track) => track.split("-").pop();

// extra: {shapes, counts, lit, trails (track -> points), preview, trial}
export function drawBoxes(canvas, head, { boxes, labels, trails, shapes }, extra = {}) {
  const ratio = devicePixelRatio || 1;
  fit(canvas, ratio);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!head) return;
  const names = shapes && extra.shapes ? paintShapes(pen, canvas.width, canvas.height, extra.shapes, extra) : () => {};
  if (extra.trial) drawTrial(pen, canvas, head, extra.trial, labels, ratio);
  else if (boxes && head.boxes) drawFound(pen, canvas, head, { labels, trails }, extra, ratio);
  names();
}

function drawFound(pen, canvas, head, { labels, trails }, extra, ratio) {
  const [height, width] = head.hw, sx = canvas.width / width, sy = canvas.height / height;
  const line = Math.max(1, Math.round((canvas.width / ratio < 520 ? 1.3 : 1.6) * ratio)), preview = extra.preview;
  // What an edit would leave out is shown faint, as it would be gone.
  const stays = ([label, , score]) => !preview || (score >= (preview.score ?? 0) && (!preview.classes || preview.classes.includes(label)));
  if (trails && extra.trails) drawTrails(pen, head, extra.trails, sx, sy, line);
  // The surest is on top.
  for (const box of [...head.boxes].sort((a, b) => a[2] - b[2])) {
    const [label, , , x1, y1, x2, y2, , points, mask, turned] = box;
    pen.globalAlpha = stays(box) ? 1 : 0.22;
    const left = Math.round(x1 * sx), top = Math.round(y1 * sy), right = Math.round(x2 * sx), bottom = Math.round(y2 * sy);
    if (mask) drawMask(pen, mask, hue(label), left, top, right - left, bottom - top);
    if (turned) outlineTurned(pen, turned, sx, sy, stroke(label), line, ratio);
    else outline(pen, left, top, right - left, bottom - top, stroke(label), line, ratio);
    if (points) drawPose(pen, points, sx, sy, stroke(label), line);
    if (labels) drawLabel(pen, box, left, top, line, ratio, canvas);
  }
  pen.globalAlpha = 1;
}

// Two models on one frame: what serves in one colour, what is tried in the other and dashed, so that both show.
function drawTrial(pen, canvas, head, trial, labels, ratio) {
  const [height, width] = head.hw, sx = canvas.width / width, sy = canvas.height / height, line = Math.max(1, Math.round(1.6 * ratio));
  for (const [boxes, tone, dash] of [[head.boxes || [], TRIAL_TONES.serving, []], [trial.boxes, TRIAL_TONES.trial, [6 * ratio, 4 * ratio]]]) {
    for (const [label, , score, x1, y1, x2, y2] of boxes) {
      const left = Math.round(x1 * sx), top = Math.round(y1 * sy), right = Math.round(x2 * sx), bottom = Math.round(y2 * sy);
      pen.setLineDash(dash);
      outline(pen, left, top, right - left, bottom - top, tone, line, ratio);
      pen.setLineDash([]);
      if (!labels) continue;
      pen.font = `600 ${Math.round(11 * ratio)}px system-ui, sans-serif`; pen.textBaseline = "middle"; pen.textAlign = "left";
      const text = `${label} ${Math.round(score * 100)}`, high = Math.round(16 * ratio), wide = Math.ceil(pen.measureText(text).width) + 8 * ratio;
      // The serving model's name stands above its box, the other one's below.
      const y = dash.length ? Math.min(bottom, canvas.height - high) : Math.max(0, top - high), x = Math.max(0, Math.min(left, canvas.width - wide));
      pen.fillStyle = tone; pen.beginPath(); pen.roundRect(x, y, wide, high, 3 * ratio); pen.fill();
      pen.fillStyle = "#0b1214"; pen.fillText(text, x + 4 * ratio, y + high / 2);
    }
  }
}

export function outline(pen, x, y, w, h, tone, line, ratio) {
  pen.lineWidth = line + 2 * Math.round(ratio);
  pen.strokeStyle = "rgba(0 0 0 / .38)";
  pen.strokeRect(x, y, w, h);
  pen.lineWidth = line;
  pen.strokeStyle = tone;
  pen.strokeRect(x, y, w, h);
}

// An oriented box: centre, width, height and by how many degrees the width is turned, in pixels of the frame.
function outlineTurned(pen, [x, y, w, h, degrees], sx, sy, tone, line, ratio) {
  const cos = Math.cos(degrees * Math.PI / 180), sin = Math.sin(degrees * Math.PI / 180);
  pen.beginPath();
  for (const [along, across] of [[-w, -h], [w, -h], [w, h], [-w, h]]) {
    pen.lineTo((x + (along * cos - across * sin) / 2) * sx, (y + (along * sin + across * cos) / 2) * sy);
  }
  pen.closePath();
  for (const [width, colour] of [[line + 2 * Math.round(ratio), "rgba(0 0 0 / .38)"], [line, tone]]) {
    pen.lineWidth = width; pen.strokeStyle = colour; pen.stroke();
  }
}

function drawLabel(pen, [label, , score, , , , , track], left, top, line, ratio, canvas) {
  const size = Math.round((canvas.width / ratio < 520 ? 10 : 11.5) * ratio);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "middle"; pen.textAlign = "left";
  const text = `${label}${track ? ` #${shortTrack(track)}` : ""} ${Math.round(score * 100)}`;
  const high = Math.round(size * 1.45), pad = Math.round(4 * ratio), wide = Math.ceil(pen.measureText(text).width) + 2 * pad;
  const at = top - high >= 0 ? top - high : top, x = Math.max(0, Math.min(left - Math.floor(line / 2), canvas.width - wide));
  pen.fillStyle = `hsl(${hue(label)} 88% 66% / .94)`;
  pen.beginPath();
  pen.roundRect(x, at, wide, high, 3 * ratio);
  pen.fill();
  pen.fillStyle = "#0b1214";
  pen.fillText(text, x + pad, at + high / 2 + ratio * .5);
}

const stencil = document.createElement("canvas");

// A grid of cells stretched over the box: runs of outside and inside in turn.
function drawMask(pen, [rows, columns, runs], degrees, x, y, w, h) {
  if (w < 1 || h < 1) return;
  stencil.width = columns; stencil.height = rows;
  const own = stencil.getContext("2d"), cells = own.createImageData(columns, rows);
  const [red, green, blue] = rgb(degrees);
  let at = 0;
  runs.forEach((run, n) => {
    if (n % 2) for (let cell = at; cell < at + run; cell++) cells.data.set([red, green, blue, 110], cell * 4);
    at += run;
  });
  own.putImageData(cells, 0, 0);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(stencil, x, y, w, h);
}

function rgb(degrees) {
  const part = (n) => { const k = (n + degrees / 30) % 12; return Math.round(255 * (0.6 - 0.352 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))); };
  return [part(0), part(8), part(4)];
}

// COCO's 17 key points; those of other skeletons are dots.
const BONES = [[15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9], [8, 10], [1, 2], [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6]];
const SEEN = 0.5;

function drawPose(pen, points, sx, sy, tone, line) {
  const bones = points.length === 17 ? BONES.filter((pair) => pair.every((one) => points[one][2] >= SEEN)) : [];
  pen.lineCap = "round";
  for (const [width, colour] of [[line + 3, "rgba(0 0 0 / .4)"], [line + 1, tone]]) {
    pen.lineWidth = width; pen.strokeStyle = colour;
    pen.beginPath();
    for (const [a, b] of bones) { pen.moveTo(points[a][0] * sx, points[a][1] * sy); pen.lineTo(points[b][0] * sx, points[b][1] * sy); }
    pen.stroke();
  }
  for (const [x, y, sure] of points) {
    if (sure < SEEN) continue;
    pen.beginPath(); pen.arc(x * sx, y * sy, line * 1.6 + 1, 0, 7);
    pen.fillStyle = "#fff"; pen.fill(); pen.lineWidth = line; pen.strokeStyle = tone; pen.stroke();
  }
  pen.lineCap = "butt";
}

// Where each object came from; older is fainter.
function drawTrails(pen, head, trails, sx, sy, line) {
  pen.lineCap = pen.lineJoin = "round";
  for (const [label, , , , , , , track] of head.boxes) {
    const points = trails.get(track);
    if (!points || points.length < 2) continue;
    pen.strokeStyle = stroke(label);
    for (let n = 1; n < points.length; n++) {
      pen.globalAlpha = .12 + .7 * n / points.length;
      pen.lineWidth = line * (1 + n / points.length);
      pen.beginPath(); pen.moveTo(points[n - 1].x * sx, points[n - 1].y * sy); pen.lineTo(points[n].x * sx, points[n].y * sy); pen.stroke();
    }
  }
  pen.globalAlpha = 1;
  pen.lineCap = "butt"; pen.lineJoin = "miter";
}

const TRAIL_MS = 3000, TRAIL_MAX = 40;

// The middle of the lower edge of each track's box over the last seconds. Keeps nothing of tracks that are gone.
export function follow(trails, head, now = performance.now()) {
  const kept = new Map();
  for (const [, , , x1, , x2, y2, track] of head.boxes || []) {
    if (!track) continue;
    const points = (trails.get(track) || []).filter((one) => now - one.at < TRAIL_MS).slice(-TRAIL_MAX);
    points.push({ x: (x1 + x2) / 2, y: y2, at: now });
    kept.set(track, points);
  }
  for (const [track, points] of trails) if (!kept.has(track) && now - points[points.length - 1].at < 1000) kept.set(track, points);
  return kept;
}
