// Every text of the page. Another language is another file of this shape; words of the device come as they are.
const seconds = (s) => s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;

const duration = (s) => s < 10 ? `${s.toFixed(1)} s` : seconds(s);
const parts = { hub: "its connection to the hub", twin: "its configuration", ledger: "its ledger", "inference.model": "its model", cameras: "its cameras" };
const part = (name) => parts[name] || name;

export const t = {
  language: "en",
  seconds, duration,
  module: { camera: "Camera", preprocess: "Preprocess", inference: "Inference", sync: "Sync", viewer: "Viewer" },
  nav: { live: "Live", health: "Health", timeline: "Timeline", models: "Models" },
  signIn: {
    title: "Sign in", token: "Token", submit: "Sign in", wrong: "That token is not valid, or too many were tried. Wait a moment and try again.",
    help: "The token is in the viewer's state folder (page-token) or is the secret viewer_token that the operator set.", out: "Sign out",
  },
  connection: { connecting: "Connecting…", lost: "No connection to the device. Trying again…", tooMany: "Too many pages are open on this device." },
  status: { well: "All well", starting: "Starting", cameras: (n) => n === 1 ? "1 camera down" : `${n} cameras down`, modules: (n) => n === 1 ? "1 module away" : `${n} modules away`, hub: "Hub unreachable", attention: "Needs attention" },
  tile: {
    waiting: "Waiting for the first picture", still: (s) => `No new picture for ${seconds(s)}`,
    state: { connecting: "Connecting", streaming: "Live", failed: "No picture", finished: "Finished", unknown: "No news" },
    finished: "All frames of this source were captured.", open: (name) => `Show ${name} alone`, back: "All cameras", full: "Full screen", exitFull: "Leave full screen",
    noDetections: "Picture without detections: inference has not answered for it", age: "Age of the picture when it left the device", frozen: "Picture does not change", objects: (n) => n === 1 ? "1 object" : `${n} objects`,
    hubAway: "The hub does not answer",
    picture: (name, list) => `Live picture of ${name}. ${list || "Nothing detected."}`,
  },
  live: {
    none: "No camera yet", noneText: "Three steps: its source, the model, the first picture.", add: "Add a camera", rate: "Pictures per second", stills: "Stills", overlay: "Boxes", labels: "Labels", trails: "Trails", shapes: "Zones", more: (n) => `and ${n} more`,
    latest: "Latest events", everything: "Timeline", noEvents: "No events yet", eventsOff: "No events are made: sync sends the boxes of every frame instead (upstream: detections).",
    size: { s: "Small", m: "Medium", l: "Large" },
    seen: "In this picture", nothing: "Nothing detected", facts: "Camera", model: "Model", theme: { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" },
  },
  edit: {
    open: "Edit", close: "Done", draw: "Draw on the picture", kind: { zones: "Zone", lines: "Line", masks: "Mask", regions: "Region" }, one: { zones: "Zone", lines: "Line", masks: "Mask", regions: "Region" }, name: "Name", remove: (name) => `Remove ${name}`,
    hint: { zones: "Tap the corners of the zone. Tap the first corner or press Enter to close it, Escape to begin again.", lines: "Tap where the line begins and where it ends.", regions: "Tap two opposite corners of what the model is to look at; the rest is left out.", masks: "Tap the corners of what must never be seen. Tap the first corner or press Enter to close it." },
    drag: "Drag a corner to move it.", none: "Choose what to draw.", detect: "Detection and source", score: "Lowest score", modelsOwn: "the model's own", effect: (stay, all) => all ? `In this picture ${stay} of ${all === 1 ? "1 object" : `${all} objects`} would stay.` : "There is nothing in this picture.", rate: (now, then) => `${now.toFixed(1)} frames per second come now; ${then.toFixed(1)} would.`,
    lower: "A lower score adds objects once it is applied: the picture cannot show them before.", classes: "Classes", every: "All classes",
    fps: "Frames per second, at most", unlimited: "as they come", source: "Source", patch: "Twin patch", nothing: "Nothing is changed. An edit appears here as the twin patch that it is.", apply: "Apply", undo: "Take the last change back", sending: "Sending…", sent: (version) => `Applied: desired properties are at version ${version}.`, copied: "Copied.",
    hidden: "The source holds a hidden password: write ${SECRET_NAME} in its place.",
    notYet: (kind) => `The module of this version does not take "${kind}" yet: copy it for one that does.`, cloudOwns: "On a device the cloud owns desired properties: copy the patch and apply it there.",
  },
  models: {
    try: "Try another model", bundle: "Bundle on this device", variant: "Variant", best: "what is best here", begin: "Try it beside", end: "End the try-out", opening: "Opening the model…", command: "Copy the try-out as az command",
    help: "It runs on the same live frames as the serving model, which goes on undisturbed. It ends by itself after five minutes.", ended: (why) => `Ended: ${why}.`, serving: "serves", trial: "on trial", beside: (name) => `${name} beside it`, serveTitle: "Let it serve", serve: "Serve this one",
  },
  drop: {
    title: "Try a file of your own", help: "Drop an ONNX file on this page, or the zip that Azure Custom Vision or AutoML exports. It is imported apart from everything that serves, by the evidence in the file, and tried on the live frames.",
    choose: "Choose a file", sending: "Sending…", importing: "Importing: reading the graph, running it, comparing…", notSent: "The file could not be sent.", failed: (status) => `Refused with status ${status}.`,
    tooLarge: (name, mb) => `${name} is larger than ${mb} MB, the most that is taken here. Import it by hand: ./vigie models import FILE`,
    elsewhere: "A device takes models by a model update only. Import the file on the machine where it was made (./vigie models import FILE), try it there with ./vigie up, and publish the bundle.",
    facts: (one) => `${one.task}, ${one.family}, ${one.size}, ${one.labels.length === 1 ? "1 class" : `${one.labels.length} classes`}`, question: { input: "Input", fit: "Fit", labels: "Labels", trial: "Trial run" },
    trying: "On trial now. It serves nothing, and is forgotten with this run.", kept: "It serves nothing, and is forgotten with this run. To keep it: ./vigie models import FILE",
    choices: "Say what the evidence leaves open, and import it again:", byEvidence: "by evidence", family: "Family", input: "Channels and range", align: "Fit of the picture", size: "Input size, height x width", labels: "Class names, one per line", trust: "Take the likeliest reading although evidence speaks against it", again: "Import again",
  },
  setup: {
    title: "Add a camera", source: "Source", sourceLabel: "Address of the camera, a video file, or a device", examples: "For example", secret: "Write a password as ${NAME}: the secret of that name is filled in on the device and never shown.", check: "Check", checking: "Opening the source…", checkCommand: "Copy the check as az command",
    works: "A picture came.", noPicture: "No picture.", checkFirst: "Check the source first.", name: "Name of the camera", taken: "There is a camera of this name.", badName: "Lower case letters, digits, - and _; at most 64.", add: "Add this camera",
    model: "Model", serves: "Every camera is looked at by", modelHelp: "To use another one, set model in the twin of inference, or send a model update.", picture: "First picture", pictureHelp: "It appears here once the camera is added.", open: "Open the camera",
  },
  facts: { source: "Source", kind: "Kind", size: "Size", captured: "Captured", inferred: "Inferred", pace: "Pace", state: "State", reason: "Reason", perSecond: (n) => `${n.toFixed(1)}/s` },
  health: {
    flow: "Flow", delay: "Where the time goes", delayHelp: "From capture to the ledger, newest pictures", plots: "Last 15 minutes", engine: "Model and engine", drops: "Drops", noDrops: "Nothing was dropped", cameras: "Cameras", modules: "Modules", uplink: "Cloud",
    stage: { camera: "Camera", preprocess: "Preprocess", inference: "Inference", sync: "Sync", cloud: "Cloud" },
    segment: { fit: "Capture to tensor", wait: "Hand-over and waiting", model: "Model", commit: "To the ledger" },
    plot: { rate: "Frames per second", latency: "Delay in ms", backlog: "Waiting for the cloud", dropped: "Dropped per second" },
    captured: "in", committed: "out", p50: "p50", p95: "p95",
    ready: "Ready", notReady: "Not ready", away: (s) => `No answer for ${seconds(s)}`, version: (v) => `version ${v}`, uptime: "Up", twin: "Twin", hub: "Hub", connected: "connected", disconnected: "not connected",
    backlog: (n) => n === 1 ? "1 item waiting" : `${n.toLocaleString("en")} items waiting`, sent: (n) => `${n.toLocaleString("en")} messages sent`, nothingWaits: "Nothing is waiting",
    serving: "Serves", provider: "Ran on", verdict: "Proof", why: "Why", measuring: (a, b) => `Measuring: ${a} of ${b}`, phase: "Phase", modelName: "Model", speed: "Measured", noEngine: "No engine yet", update: "Model update", changes: "Last changes by twin", noChanges: "Nothing was changed since the modules started.", temperature: "Temperature", energy: "Energy", agreement: "Agreement", noMeter: "no meter on this machine",
    joules: (j, meter) => `${(j * 1000).toFixed(1)} mJ per run (${meter})`, measured: (p50, p95, mb) => `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, ${Math.round(mb)} MB`, audit: (n) => `${n} lines in its audit log`,
    total: "Total", perS: "Now",
  },
  update: {
    none: "No model update is under way.", since: "Since", serves: "Serves", former: "Before", agreement: "Agreement", frames: "Frames compared", speed: "Its run", servingSpeed: "Serving model",
    counts: (x) => `${x.matched} objects equal, ${x.flipped} with another label, ${x.missing} missing, ${x.new} new`,
    phase: { downloading: "is being downloaded", verifying: "is being verified", selecting: "waits for its engines to be measured", warming: "is being opened", shadowing: "is on trial", waiting: "passed its trial and waits to be promoted", probation: "serves on probation", committed: "serves", rejected: "was rejected", rolled_back: "was taken back" },
  },
  drops: {
    damaged: "Evidence was damaged on the disk", gone: "Its frames were gone before evidence was made of them", frame_gone: "The frame left shared memory before its evidence was kept", not_kept: "The camera module could not keep the evidence", clip_refused: "The camera gave no clip", blurred: "A sample that is blurred as a whole teaches nothing", evidence_per_hour: "More evidence than the twin allows in an hour", spool_full: "The room for evidence on the disk is full",
    actions_away: "The module actions did not take it in time", queue_full: "More waited for a receiver of actions than may", preprocess_died: "Preprocess ended before it sent the frame", ring_refused: "The memory ring is not one that may be read", bad_reference: "The message names no place in memory that can be",
    consumer_behind: "The next stage was busy; a newer frame took its place", overwritten: "The frame's place in memory was used again before it was read", ring_full: "Every place in memory was being read", ring_gone: "The camera began a new memory ring",
    no_input_spec: "No model has said what it needs yet", spec_mismatch: "Fitted for a model that no longer serves", no_model: "No model is loaded", sync_behind: "Sync could not take more results", inference_failed: "The model failed on this frame", throttled: "Left out to spare the machine",
    ledger_full: "The ledger is full: the oldest items went", over_bound: "More waited for the cloud than may: the oldest went", rejected: "No more may wait for the cloud", too_old: "They waited for the cloud too long", folded: "They became counts while they waited for the cloud", purged: "Somebody called purge", too_large: "Larger than a message may be", unconfirmed: "The receiver never confirmed it", input_full: "Messages arrived faster than they were read", no_space: "No shared memory left", ring_busy: "Another process writes this ring", undecodable: "The frame could not be decoded", bad_time: "The frame came without a valid time", refused: "The hub refused the message",
  },
  causes: {
    dns: "the host name is unknown", refused: "nothing listens there", unreachable: "no way to the host", timeout: "no answer in time", unauthorised: "user or password refused", not_found: "the camera does not know the path", no_video: "there is no video in it",
    unsupported_codec: "a codec that cannot be decoded here", decode: "the video cannot be decoded", stalled: "the stream stopped", frozen: "the picture does not change", black: "the picture is black", tampered: "the view was tampered with", rate: "another number of frames than set", size: "another picture size than set", other: "see the log of camera",
  },
  told: {
    seen: (label) => `${label} seen`, stays: (label, s) => `${label} in view for ${s}`, gone: (label, s) => `${label} was in view for ${s}`,
    entered: (label, zone) => `${label} entered ${zone}`, loiters: (label, zone, s) => `${label} has stayed in ${zone} for ${s}`, left: (label, zone, s) => `${label} was in ${zone} for ${s}`,
    crossed: (label, line, way) => `${label} crossed ${line} ${way}`, direction: { forward: "forward", backward: "backward" }, occupied: (zone) => `${zone} is occupied`, empty: (zone, s) => `${zone} is empty after ${s}`,
    speeds: (label, zone, speed) => `${label} is too fast in ${zone}: ${speed} m/s`,
    lacks: (zone, inside, expected) => `${zone} holds ${inside} of ${expected}`, complete: (zone, s) => `${zone} is no longer short of anything, after ${s}`,
    down: (camera, why) => `${camera} gives no pictures${why ? `: ${why}` : ""}`, degraded: (camera, why) => `${camera} gives poor pictures${why ? `: ${why}` : ""}`, first: (camera) => `${camera} gives pictures`,
    up: (camera, s, why, losses) => `${camera} is well again after ${s}${why ? ` (${why}${losses > 1 ? `; lost ${losses} times` : ""})` : ""}`,
    changed: { size: (camera, a, b) => `${camera}: the pictures are ${b} now, before ${a}`, codec: (camera, a, b) => `${camera}: the codec is ${b} now, before ${a}`, removed: (camera) => `${camera} was removed while it gave no pictures` },
    evidence: { snapshot: (camera) => `${camera}: the picture of an event is in the cloud`, clip: (camera) => `${camera}: the clip of an event is in the cloud` }, update: (model, state, reason) => `${model} ${state}${reason ? `: ${reason}` : ""}`,
    what: { scores: "scores", classes: "classes" }, drift: (camera, what) => `${camera}: the ${what} are not what they were in the first days`, driftOver: (camera, what) => `${camera}: the ${what} are again what they were in the first days`,
    throttled: (percent, reason) => `${percent} % of the frames are inferred, with least energy: ${reason}`, throttleOver: () => "All frames are inferred again",
    test: (text) => `Test event${text ? `: ${text}` : ""}`, omitted: (n) => `${n} items became counts while they waited for the cloud`,
    alert: "Alert", close: "Close", noPicture: "No picture: nobody was looking when it happened.", camera: "Camera", began: "Began", at: "Latest", lasted: "Lasted", score: "Highest score", inside: "Inside now", track: "Track", stay: (zone) => `In ${zone}`, key: "Key",
  },
  events: {
    none: { all: "Nothing has happened since the viewer started.", alerts: "No alerts. A zone or line raises one where its rule says so.", rules: "No zone was entered and no line crossed. Draw them with Edit beside the picture of a camera.", objects: "No objects were seen.", problems: "No problems.", changes: "No changes." },
    filter: { all: "Everything", alerts: "Alerts", rules: "Zones and lines", objects: "Objects", problems: "Problems", changes: "Changes" }, showMore: (n) => `Show more (${n})`,
    ready: () => "is ready", restarted: (f) => `restarted (version ${f.version})`, twin: (f) => `took configuration ${f.version ?? ""}`, refused: (f) => `refused a change of ${f.path}: ${f.reason}`, missing: (f) => `is not ready: it lacks ${part(f.part)}: ${f.reason}`, there_again: (f) => `has ${part(f.part)} again`,
    hub_away: () => "cannot reach the hub", hub_back: () => "reaches the hub again", away: () => "does not answer", back: () => "answers again", camera: (f) => `${f.camera}: ${({ streaming: "live", failed: "no picture", connecting: "connecting", finished: "finished", removed: "removed" })[f.state] || f.state}${f.reason ? ` (${f.reason})` : ""}`,
    frozen: (f) => `${f.camera}: the picture does not change`, moves: (f) => `${f.camera}: the picture changes again`, model: (f) => `serves model ${f.to ?? "none"}${f.from ? `, before ${f.from}` : ""}`, engine: (f) => `runs on ${f.to}${f.from ? `, before ${f.from}` : ""}`,
    applied: (f) => `changed from this page, version ${f.version}`, undone: (f) => `change taken back from this page, version ${f.version}`, more: (n) => `and ${n} more`, gone: "not set",
  },
};
