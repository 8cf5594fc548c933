// The page's state: what the device said last. Views subscribe; nothing here touches the document.
const listeners = new Map();

export const state = {
  me: null, // {signed_in, token_needed, edits}
  link: "connecting", // connecting | open | lost | too_many
  modules: {}, // name -> what the module says of itself
  heardAt: {}, // name -> performance.now() of its last news
  numbers: null,
  points: [],
  events: [], // of the modules themselves
  told: new Map(), // id -> {event, counts, picture}: objects, zones, lines; oldest first
  counts: {}, // camera/zone or camera/line -> numbers after its last event
  fresh: [], // events of the last seconds, for the picture
  pictures: {}, // camera -> {head, at (performance.now()), drawn}
  settings: load(),
};

function load() {
  const defaults = { fps: 10, boxes: true, labels: true, trails: true, shapes: true, theme: "auto", size: "m" };
  try { return { ...defaults, ...JSON.parse(localStorage.getItem("vigie") || "{}") }; } catch { return defaults; }
}

export function set(changes) {
  state.settings = { ...state.settings, ...changes };
  try { localStorage.setItem("vigie", JSON.stringify(state.settings)); } catch { /* private window: for this visit only */ }
  emit("settings");
}

export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  return () => listeners.get(topic).delete(listener);
}

export function emit(topic, detail) {
  for (const listener of [...(listeners.get(topic) || [])]) listener(detail);
}

export function take(message) {
  switch (message.kind) {
    case "module": {
      const before = state.modules[message.module];
      state.modules = { ...state.modules, [message.module]: { ...message, schema: message.schema || before?.schema } };
      state.heardAt[message.module] = performance.now();
      break;
    }
    case "numbers":
      state.numbers = message;
      if (message.point) state.points = [...state.points, message.point].filter((p) => p[0] > message.point[0] - 900);
      break;
    case "told": heard(message); break;
    case "trial": emit("trial", message); return; // only who compares is concerned
    case "history": state.points = message.points; break;
    case "events": state.events = (message.all ? message.events : [...state.events, ...message.events]).slice(-300); break;
  }
  emit("state");
}

const TOLD_MAX = 500, FRESH_MS = 5000;

function heard({ items, all }) {
  if (all) { state.told = new Map(); state.counts = {}; }
  for (const item of items) {
    const { event, counts } = item, known = state.told.get(event.id);
    state.told.delete(event.id);
    state.told.set(event.id, item);
    if (counts.length) state.counts[`${event.camera}/${event.zone || event.line}`] = counts;
    const same = known && known.event.key === event.key; // only its picture is another one
    if (!all && !same && event.type !== "object") state.fresh = [...state.fresh.filter((one) => performance.now() - one.at < FRESH_MS), { event, at: performance.now() }];
  }
  while (state.told.size > TOLD_MAX) state.told.delete(state.told.keys().next().value);
}

// What happened on this camera in the last seconds, newest first.
export function freshOf(camera) {
  return state.fresh.filter((one) => one.event.camera === camera && performance.now() - one.at < FRESH_MS).reverse();
}

// Zones, lines and masks of a camera as the modules have them in force.
export function shapesOf(camera) {
  const rules = state.modules.sync?.desired?.cameras?.[camera] || {}, own = state.modules.camera?.desired?.cameras?.[camera] || {};
  const of = (kind, have) => Object.entries(have || {}).map(([label, value]) => ({ kind, label, points: value.points || value }));
  return [...of("zones", rules.zones), ...of("lines", rules.lines), ...of("masks", own.masks), ...of("regions", regionOf(camera))];
}

// Where in the picture of a camera the model looks, as a shape of two corners.
export function regionOf(camera) {
  const box = state.modules.preprocess?.desired?.regions?.[camera]?.box;
  return box ? { region: { points: [box.slice(0, 2), box.slice(2)] } } : {};
}

export function cameraNames() {
  const camera = state.modules.camera;
  return Object.keys({ ...camera?.desired?.cameras, ...camera?.reported?.camera_state }).sort();
}

export function cameraState(name) {
  return state.modules.camera?.reported?.camera_state?.[name] || {};
}

// One word for the whole: the worst thing first.
export function verdict() {
  if (state.link !== "open") return { tone: "bad", code: "link" };
  const modules = Object.values(state.modules);
  if (!modules.length) return { tone: "wait", code: "starting" };
  const unreachable = state.numbers && Object.entries(state.numbers.hub || {}).some(([name, up]) => !up && !state.modules[name]?.away);
  if (unreachable) return { tone: "bad", code: "hub" };
  const away = modules.filter((one) => one.away).length;
  if (away) return { tone: "bad", code: "modules", count: away };
  const down = cameraNames().filter((name) => cameraState(name).state === "failed").length;
  if (down) return { tone: "bad", code: "cameras", count: down };
  if (modules.some((one) => Object.keys(one.missing || {}).length)) return { tone: "warn", code: "attention" };
  return { tone: "good", code: "well" };
}
