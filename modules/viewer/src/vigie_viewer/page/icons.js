// Line icons, drawn here so that nothing is loaded from elsewhere.
import { html } from "./vendor/htm-preact-3.1.1.js";

const paths = {
  plus: "M12 5v14M5 12h14",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  open: "M14 5h5v5M19 5l-8 8M10 6H6a1 1 0 0 0-1 1v11a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1v-4",
  back: "M15 5l-7 7 7 7",
  off: "M4 4l16 16M9.5 5H14l1.5 2H19a1.5 1.5 0 0 1 1.5 1.5V17M17 19H5a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 5 7h2M9.4 11.4a3.5 3.5 0 0 0 4.7 4.7",
  clock: "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z",
  auto: "M12 21a9 9 0 1 0 0-18v18ZM12 3a9 9 0 0 0 0 18",
  out: "M10 5H6a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h4M15 8l4 4-4 4M19 12H10",
  zone: "M5 8l7-4 7 5-2 9-9 2Z", line: "M5 19L19 5M5 19h.01M19 5h.01", mask: "M4 6h16v12H4ZM4 12l6-6M7 18L19 6M14 18l6-6", edit: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19ZM14.5 6.5l3 3",
  region: "M4 9V5h4M16 5h4v4M20 15v4h-4M8 19H4v-4M9 12h6M12 9v6",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3", copy: "M9 9h11v11H9ZM5 15H4V4h11v1", trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13", check: "M5 13l4 4L19 7", cloud: "M7 18a4 4 0 0 1-.6-8A6 6 0 0 1 18 9.5 4.3 4.3 0 0 1 17.5 18Z",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
};

export function Icon({ name }) {
  return html`<svg class="i" viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${paths[name]} /></svg>`;
}
