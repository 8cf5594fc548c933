// Boxes and shapes over a picture, in device pixels so that lines are crisp. Frame pixels in, canvas out.
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

export const stroke = (label) => `hsl(${hue(label)} 88% 60%)`;

export function fit(canvas, ratio) {
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
}

export function drawBoxes(canvas, head, { boxes, labels }, preview) {
  const ratio = devicePixelRatio || 1;
  fit(canvas, ratio);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!head || !boxes || !head.boxes) return;
  const [height, width] = head.hw;
  const sx = canvas.width / width, sy = canvas.height / height;
  const line = Math.max(1, Math.round(1.6 * ratio));
  const size = Math.round(11.5 * ratio);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  // What an edit would leave out is shown faint, as it would be gone.
  const stays = ([label, , score]) => !preview || (score >= (preview.score ?? 0) && (!preview.classes || preview.classes.includes(label)));
  for (const box of head.boxes) {
    const [label, , score, x1, y1, x2, y2, track] = box;
    pen.globalAlpha = stays(box) ? 1 : 0.22;
    const left = Math.round(x1 * sx), top = Math.round(y1 * sy), right = Math.round(x2 * sx), bottom = Math.round(y2 * sy);
    pen.lineWidth = line + 2 * Math.round(ratio);
    pen.strokeStyle = "rgba(0 0 0 / .38)";
    pen.strokeRect(left, top, right - left, bottom - top);
    pen.lineWidth = line;
    pen.strokeStyle = stroke(label);
    pen.strokeRect(left, top, right - left, bottom - top);
    if (!labels) continue;
    const text = `${label}${track ? ` #${track.split("-").pop()}` : ""} ${Math.round(score * 100)}`;
    const high = Math.round(size * 1.5), wide = Math.ceil(pen.measureText(text).width) + Math.round(10 * ratio);
    const at = top - high >= 0 ? top - high : top;
    const x = Math.max(0, Math.min(left - Math.floor(line / 2), canvas.width - wide));
    pen.fillStyle = `hsl(${hue(label)} 88% 60% / .94)`;
    pen.beginPath();
    pen.roundRect(x, at, wide, high, 3 * ratio);
    pen.fill();
    pen.fillStyle = "#0b1214";
    pen.fillText(text, x + 5 * ratio, at + high / 2 + ratio * .5);
  }
  pen.globalAlpha = 1;
}
