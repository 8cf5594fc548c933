// Zones, lines and masks over a picture: where they are, how many are inside, what has just happened there.
import { fit } from "./canvas.js";

const TONES = { zones: "hsl(150 90% 55%)", lines: "hsl(45 100% 58%)", masks: "hsl(0 0% 92%)", regions: "hsl(200 100% 68%)" };
const ALERT = "hsl(2 95% 62%)";

// counts(label) gives the numbers of a zone or line; lit(label) "event" or "alert" while something happens there.
export function paintShapes(pen, w, h, shapes, { counts, lit, corners, open } = {}) {
  const ratio = devicePixelRatio || 1;
  for (const shape of shapes) {
    if (shape.gone) continue;
    const { kind, label, points } = shape, now = lit?.(label), tone = now === "alert" ? ALERT : TONES[kind];
    pen.beginPath();
    outlineOf(kind, points).forEach(([x, y], n) => n ? pen.lineTo(x * w, y * h) : pen.moveTo(x * w, y * h));
    if (kind !== "lines" && !open) pen.closePath();
    if (kind === "masks") { pen.fillStyle = "rgb(10 14 16 / .82)"; pen.fill(); }
    if (kind === "zones") { pen.globalAlpha = now ? .2 : .1; pen.fillStyle = tone; pen.fill(); pen.globalAlpha = 1; }
    pen.lineJoin = "round";
    pen.lineWidth = 4 * ratio; pen.strokeStyle = "rgb(0 0 0 / .45)"; pen.stroke();
    pen.lineWidth = (now ? 3 : 2) * ratio; pen.strokeStyle = tone; pen.setLineDash(open || kind === "regions" ? [6 * ratio, 5 * ratio] : []); pen.stroke(); pen.setLineDash([]);
    if (kind === "lines" && points.length === 2) arrow(pen, points, w, h, tone, ratio);
    if (corners) for (const [x, y] of points) dot(pen, x * w, y * h, 4.5 * ratio, tone, ratio);
  }
  // Names last and of all shapes, so that nothing covers them.
  return () => shapes.forEach((shape) => nameOf(pen, w, h, shape, counts, lit, ratio));
}

// A region is a rectangle, drawn by two of its corners.
const outlineOf = (kind, points) => kind === "regions" && points.length === 2 ? [points[0], [points[1][0], points[0][1]], points[1], [points[0][0], points[1][1]]] : points;

function nameOf(pen, w, h, { kind, label, points, gone }, counts, lit, ratio) {
  if (!label || gone) return;
  const tone = lit?.(label) === "alert" ? ALERT : TONES[kind];
  tag(pen, place(kind, points, w, h, ratio), [label, ...numbers(kind, counts?.(label))], tone, w, h, ratio);
}

function numbers(kind, counts) {
  if (!counts) return [];
  return kind === "lines" ? [`${counts[0]} ▸  ${counts[1]} ◂`] : [`${counts[0]} inside`, `${counts[1]} in  ${counts[2]} out`];
}

// Forward is from the left to the right of who walks from the first point to the second.
function arrow(pen, [[x1, y1], [x2, y2]], w, h, tone, ratio) {
  const dx = (x2 - x1) * w, dy = (y2 - y1) * h, long = Math.hypot(dx, dy) || 1, x = (x1 + x2) / 2 * w, y = (y1 + y2) / 2 * h;
  const nx = -dy / long, ny = dx / long, ux = dx / long, uy = dy / long, size = 7 * ratio;
  pen.beginPath();
  pen.moveTo(x + nx * 2.2 * size, y + ny * 2.2 * size);
  pen.lineTo(x + nx * .6 * size + ux * size, y + ny * .6 * size + uy * size);
  pen.lineTo(x + nx * .6 * size - ux * size, y + ny * .6 * size - uy * size);
  pen.closePath();
  pen.fillStyle = tone; pen.fill(); pen.lineWidth = ratio; pen.strokeStyle = "rgb(0 0 0 / .6)"; pen.stroke();
}

function dot(pen, x, y, radius, tone, ratio) {
  pen.beginPath(); pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = tone; pen.fill(); pen.lineWidth = ratio; pen.strokeStyle = "rgb(0 0 0 / .6)"; pen.stroke();
}

// Where the name stands: at the upper edge of a zone, so that it hides nothing that is in it; beside a line.
function place(kind, points, w, h, ratio) {
  const xs = points.map((p) => p[0] * w), ys = points.map((p) => p[1] * h), middle = (all) => (Math.min(...all) + Math.max(...all)) / 2;
  if (kind === "zones" || kind === "regions") return [middle(xs), Math.min(...ys) + 12 * ratio];
  return kind === "lines" ? [middle(xs), middle(ys) + (Math.abs(xs[0] - xs[1]) > Math.abs(ys[0] - ys[1]) ? -18 : 26) * ratio] : [middle(xs), middle(ys)];
}

function tag(pen, [x, y], texts, tone, w, h, ratio) {
  const size = (w / ratio < 520 ? 10.5 : 12) * ratio, high = size * 1.6, gap = 8 * ratio;
  pen.textBaseline = "middle"; pen.textAlign = "left";
  const font = (n) => `${n ? 500 : 700} ${size}px system-ui, sans-serif`;
  const widths = texts.map((text, n) => { pen.font = font(n); return pen.measureText(text).width; });
  const wide = widths.reduce((sum, one) => sum + one + gap, gap), left = Math.max(0, Math.min(x - wide / 2, w - wide)), top = Math.max(0, Math.min(y - high / 2, h - high));
  pen.fillStyle = "rgb(7 12 14 / .82)"; pen.beginPath(); pen.roundRect(left, top, wide, high, 4 * ratio); pen.fill();
  let at = left + gap;
  texts.forEach((text, n) => { pen.font = font(n); pen.fillStyle = n ? "#e6eeef" : tone; pen.fillText(text, at, top + high / 2 + ratio * .5); at += widths[n] + gap; });
}

// The canvas of the editor: shapes with corners to drag, and the one that is being drawn.
export function paint(canvas, shapes, draft, hover, tool) {
  if (!canvas) return;
  fit(canvas, devicePixelRatio || 1);
  const pen = canvas.getContext("2d"), w = canvas.width, h = canvas.height;
  pen.clearRect(0, 0, w, h);
  paintShapes(pen, w, h, shapes, { corners: true })();
  if (draft.length) paintShapes(pen, w, h, [{ kind: tool, label: "", points: hover ? [...draft, hover] : draft }], { corners: true, open: true });
}
