// One WebSocket: pictures and state come in, what is looked at and what was drawn goes out.
import { emit, state, take } from "./store.js";

const decoder = new TextDecoder();
let socket = null;
let wait = 300;
let looks = {};
let looked = "";
const drawers = new Map(); // camera -> function(head, bitmap)

export async function askMe() {
  const answer = await fetch("/api/me", { credentials: "same-origin" });
  if (!answer.ok) throw new Error(await answer.text());
  state.me = await answer.json();
  emit("state");
  return state.me;
}

export function open() {
  socket?.close();
  const address = new URL("/live", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address);
  opened.binaryType = "arraybuffer";
  socket = opened;
  opened.onopen = () => { wait = 300; looked = ""; link("open"); say(); };
  opened.onmessage = ({ data }) => typeof data === "string" ? take(JSON.parse(data)) : picture(data);
  opened.onclose = () => {
    if (socket !== opened) return;
    link("lost");
    setTimeout(again, wait);
    wait = Math.min(wait * 1.7, 2000);
  };
}

async function again() {
  try {
    const me = await askMe();
    if (me.signed_in) open();
  } catch { setTimeout(again, wait); }
}

function link(what) {
  if (state.link !== what) { state.link = what; emit("state"); }
}

// A tile that shows `camera`; the newest one wins where two show the same.
export function show(camera, width, drawer, fps) {
  looks = { ...looks, [camera]: { width, fps } };
  drawers.set(camera, drawer);
  say();
  return () => {
    if (drawers.get(camera) !== drawer) return;
    drawers.delete(camera);
    delete looks[camera];
    say();
  };
}

let saying = 0;
export function say() {
  clearTimeout(saying);
  saying = setTimeout(() => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    const fps = state.settings.fps;
    const look = document.hidden ? {} : Object.fromEntries(Object.entries(looks).map(([name, want]) => [name, { width: Math.max(1, Math.round(want.width)), fps: want.fps ? Math.min(want.fps, fps) : fps }]));
    const text = JSON.stringify({ look });
    if (text !== looked) { looked = text; socket.send(text); }
  }, 30);
}

document.addEventListener("visibilitychange", say);

async function picture(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  const from = socket;
  try {
    const drawer = drawers.get(head.camera);
    if (!drawer) return;
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }));
    if (!drawer(head, bitmap)) bitmap.close(); // true: it is kept until its counterpart comes
    const seen = state.pictures[head.camera];
    state.pictures[head.camera] = { head, at: performance.now(), drawn: (seen?.drawn || 0) + 1 };
  } finally {
    if (from.readyState === WebSocket.OPEN) from.send(JSON.stringify({ drawn: head.camera }));
  }
}
