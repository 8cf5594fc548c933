// A small plot of the last minutes as SVG: no library, no animation, readable at 120 pixels.
import { html } from "./vendor/htm-preact-3.1.1.js";

const W = 260, H = 64;

export function Plot({ title, points, lines, whole }) {
  const now = points.length ? points[points.length - 1][0] : 0, from = now - 900;
  const values = lines.flatMap(([at]) => points.map((point) => point[at]).filter((value) => value != null));
  const top = Math.max(...values, whole ? 1 : 0.1) * 1.08;
  const x = (when) => ((when - from) / 900) * W, y = (value) => H - 3 - (value / top) * (H - 8);
  const path = (at) => {
    let text = "", before = null;
    for (const point of points) {
      if (point[at] == null) { before = null; continue; }
      text += `${before !== null && point[0] - before < 45 ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[at]).toFixed(1)}`;
      before = point[0];
    }
    return text;
  };
  const last = (at) => { const value = points.length ? points[points.length - 1][at] : null; return value == null ? "–" : value >= 100 || whole ? Math.round(value).toLocaleString("en") : value.toFixed(1); };
  return html`<figure class="plot"><figcaption>${title}<span>${lines.map(([at, tone, name]) => html`<b class="tone-${tone}">${last(at)}${name && html` <small>${name}</small>`}</b>`)}</span></figcaption>
    <svg viewBox="0 0 ${W} ${H}" preserveAspectRatio="none" role="img" aria-label="${title}: ${lines.map(([at, , name]) => `${name} ${last(at)}`).join(", ")}">
      <line x1="0" x2=${W} y1=${H - 3} y2=${H - 3} class="axis" />
      ${lines.map(([at, tone]) => html`<path d=${path(at)} class="line tone-${tone}" />`)}</svg></figure>`;
}
