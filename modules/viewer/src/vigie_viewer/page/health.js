// Is it well, how fast is it, where does the time go, what was lost and why.
import { html } from "./vendor/htm-preact-3.1.1.js";
import { cameraNames, cameraState, state } from "./store.js";
import { Plot } from "./plot.js";
import { useTick } from "./tile.js";
import { t } from "./strings.en.js";

const FLOW = ["camera", "preprocess", "inference", "sync"];

export function Health() {
  useTick(1000);
  const numbers = state.numbers;
  return html`<div class="health">
    <h1 class="visually-hidden">${t.nav.health}</h1>
    <section class="card wide"><h2>${t.health.flow}</h2><${Flow} numbers=${numbers} /></section>
    <section class="card wide"><h2>${t.health.delay}</h2><${Delay} numbers=${numbers} /></section>
    <section class="card wide"><h2>${t.health.plots}</h2><${Plots} /></section>
    <section class="card"><h2>${t.health.engine}</h2><${Engine} /></section>
    <section class="card"><h2>${t.health.update}</h2><${Update} /></section>
    <section class="card"><h2>${t.health.changes}</h2><${Changes} /></section>
    <section class="card"><h2>${t.health.drops}</h2><${Drops} numbers=${numbers} /></section>
    <section class="card"><h2>${t.health.cameras}</h2><${Cameras} numbers=${numbers} /></section>
    <section class="card"><h2>${t.health.modules}</h2><${Modules} numbers=${numbers} /></section>
  </div>`;
}

function toneOf(name) {
  const module = state.modules[name];
  if (!module) return "wait";
  if (module.away) return "bad";
  return Object.keys(module.missing || {}).length ? "warn" : "good";
}

function Flow({ numbers }) {
  const backlog = numbers?.backlog ?? 0;
  return html`<ol class="flow">${FLOW.map((name) => html`<li><span class="dot ${toneOf(name)}"></span><b>${t.health.stage[name]}</b><span class="big">${(numbers?.stages?.[name] ?? 0).toFixed(1)}<small>/s</small></span></li>`)}
    <li><span class="dot ${backlog > 1000 ? "warn" : numbers ? "good" : "wait"}"></span><b>${t.health.stage.cloud}</b><span class="words">${backlog ? t.health.backlog(backlog) : t.health.nothingWaits}</span><small>${numbers ? t.health.sent(numbers.upstream) : ""}</small></li></ol>`;
}

// One bar from capture to the ledger. Its parts are of the newest picture; the end is sync's own median.
function Delay({ numbers }) {
  const timings = numbers?.timings, [p50, p95] = numbers?.latency_ms || [];
  if (!timings) return html`<p class="muted">${p50 == null ? "–" : `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`}</p>`;
  const wait = Math.max(0, timings.inferred_ms - timings.preprocessed_ms - timings.inference_ms);
  const parts = [["fit", timings.preprocessed_ms], ["wait", wait], ["model", timings.inference_ms]];
  if (p50 != null) parts.push(["commit", Math.max(0, p50 - timings.inferred_ms)]);
  const sum = parts.reduce((total, [, ms]) => total + ms, 0) || 1;
  return html`<div class="delay" role="img" aria-label=${parts.map(([name, ms]) => `${t.health.segment[name]} ${ms.toFixed(1)} ms`).join(", ")}>
      ${parts.map(([name, ms]) => html`<span class="part part-${name}" style=${{ flexGrow: Math.max(ms / sum, .012) }}></span>`)}</div>
    <ul class="legend">${parts.map(([name, ms]) => html`<li><span class="key part-${name}"></span>${t.health.segment[name]} <b>${ms.toFixed(1)} ms</b></li>`)}
      ${p50 != null && html`<li class="end">p50 <b>${p50.toFixed(1)} ms</b> · p95 <b>${p95.toFixed(1)} ms</b></li>`}</ul>`;
}

function Plots() {
  const points = state.points;
  return html`<div class="plots">
    <${Plot} title=${t.health.plot.rate} points=${points} lines=${[[1, "a", t.health.captured], [2, "b", t.health.committed]]} />
    <${Plot} title=${t.health.plot.latency} points=${points} lines=${[[4, "c", t.health.p95], [3, "a", t.health.p50]]} />
    <${Plot} title=${t.health.plot.backlog} points=${points} lines=${[[5, "a", ""]]} whole />
    <${Plot} title=${t.health.plot.dropped} points=${points} lines=${[[6, "bad", ""]]} /></div>`;
}

export function Engine() {
  const reported = state.modules.inference?.reported || {}, runtime = reported.runtime_state || {}, serving = runtime.serving || {};
  const rows = [
    [t.health.modelName, reported.model_state?.id], [t.health.serving, serving.candidate], [t.health.provider, serving.provider], [t.health.verdict, serving.verdict],
    [t.health.phase, runtime.phase], [t.health.why, first(runtime.reasons) || runtime.reason],
    ...measuredRows(runtime, serving),
    [t.health.temperature, state.numbers?.warmth && `${state.numbers.warmth.celsius.toFixed(0)} °C (${state.numbers.warmth.zone})`],
  ].filter(([, value]) => value);
  const progress = runtime.progress;
  if (!rows.length) return html`<p class="muted">${t.health.noEngine}</p>`;
  return html`<dl>${rows.map(([key, value]) => html`<dt>${key}</dt><dd>${text(value)}</dd>`)}</dl>
    ${progress && html`<p><progress max=${progress.total || 1} value=${progress.done || 0} aria-label=${t.health.measuring(progress.done, progress.total)}></progress> ${t.health.measuring(progress.done, progress.total)}</p>`}`;
}

// What was measured of the candidate that serves. Energy only where the machine has a meter.
function measuredRows(runtime, serving) {
  const one = (runtime.measured || []).find((each) => each.candidate === serving.candidate);
  const energy = one?.joules ? t.health.joules(one.joules, one.meter) : runtime.energy === "unavailable" ? t.health.noMeter : runtime.energy;
  return [[t.health.speed, one && t.health.measured(one.p50_ms, one.p95_ms, one.mb)], [t.health.agreement, one?.agreement != null && one.agreement.toFixed(3)], [t.health.energy, energy]];
}

// A model update: where it is, why, and how the trial beside the serving model goes.
export function Update() {
  const update = state.modules.inference?.reported?.update_state;
  if (!update?.phase || update.phase === "idle") return html`<p class="muted">${t.update.none}</p>`;
  const trial = update.trial, tone = { committed: "good", rejected: "bad", rolled_back: "bad", waiting: "warn" }[update.phase] || "wait";
  const rows = [[t.update.since, update.since && new Date(update.since).toLocaleTimeString(t.language, { hour12: false })], [t.facts.reason, update.reason], [t.update.serves, update.serving && `${update.serving.name} ${update.serving.version}`], [t.update.former, update.former && `${update.former.name} ${update.former.version}`]].filter(([, value]) => value);
  return html`<p class="state"><span class="dot ${tone}"></span><b>${update.name} ${update.version}</b> ${t.update.phase[update.phase] || update.phase}</p>
    ${update.progress != null && html`<progress max="1" value=${update.progress} aria-label=${t.update.phase[update.phase]}></progress>`}
    ${trial && html`<${Trial} trial=${trial} />`}
    <dl>${rows.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl>`;
}

// How alike the model on trial and the serving one are, and how fast.
export function Trial({ trial }) {
  const cells = [[t.update.agreement, trial.agreement == null ? "–" : trial.agreement.toFixed(3)], [t.update.frames, trial.frames], [t.update.speed, trial.run_ms == null ? "–" : `${trial.run_ms.toFixed(1)} ms`], [t.update.servingSpeed, trial.serving_run_ms == null ? "–" : `${trial.serving_run_ms.toFixed(1)} ms`]];
  return html`<ul class="figures">${cells.map(([name, value]) => html`<li><b class="num">${value}</b><small>${name}</small></li>`)}</ul>
    <p class="muted small">${t.update.counts(trial)}</p>`;
}

// What the cloud, or this page, changed last in each module, path by path.
function Changes() {
  const rows = FLOW.map((name) => [name, state.modules[name]?.reported?.last_change, state.modules[name]?.reported?.audit]).filter(([, change]) => change?.changed?.length);
  const when = (name, version) => state.events.find((event) => event.module === name && event.code === "twin" && event.facts.version === version)?.at;
  if (!rows.length) return html`<p class="muted">${t.health.noChanges}</p>`;
  return html`<ul class="rows changes">${rows.map(([name, change, audit]) => html`<li><div><b>${t.module[name]}</b> <small>${t.health.version(change.version)}${when(name, change.version) ? `, ${new Date(when(name, change.version)).toLocaleTimeString(t.language, { hour12: false })}` : ""}${audit ? ` · ${t.health.audit(audit.lines)}` : ""}</small>
    ${change.changed.map((one) => html`<div class="change"><code>${one.path}</code> <del>${shown(one.from)}</del> → <ins>${shown(one.to)}</ins></div>`)}</div></li>`)}</ul>`;
}

const shown = (value) => value == null ? t.events.gone : typeof value === "string" ? value : JSON.stringify(value);

function Drops({ numbers }) {
  const drops = numbers?.dropped || [];
  if (!drops.length) return html`<p class="good-text">${t.health.noDrops}</p>`;
  return html`<table><thead><tr><th>${t.facts.reason}</th><th class="num">${t.health.total}</th><th class="num">${t.health.perS}</th></tr></thead><tbody>
    ${drops.map((one) => html`<tr><td><b>${one.module}</b> ${t.drops[one.reason] || one.reason}</td><td class="num">${one.total.toLocaleString("en")}</td><td class="num">${one.per_s ? `${one.per_s}/s` : "–"}</td></tr>`)}</tbody></table>`;
}

function Cameras({ numbers }) {
  return html`<ul class="rows">${cameraNames().map((name) => {
    const camera = cameraState(name), tone = { streaming: camera.frozen ? "warn" : "good", failed: "bad" }[camera.state] || "wait";
    return html`<li><span class="dot ${tone}"></span><a href="#/live/${encodeURIComponent(name)}"><b>${name}</b></a><span class="grow">${camera.reason || (camera.frozen ? t.tile.frozen : t.tile.state[camera.state] || "")}</span><span class="num">${camera.size || ""}</span><span class="num">${(numbers?.cameras?.[name]?.captured ?? camera.fps ?? 0).toFixed(1)}/s</span></li>`;
  })}</ul>`;
}

function Modules({ numbers }) {
  return html`<ul class="rows">${FLOW.filter((name) => state.modules[name]).map((name) => {
    const module = state.modules[name], missing = Object.entries(module.missing || {});
    const silent = (performance.now() - (state.heardAt[name] || 0)) / 1000;
    return html`<li><span class="dot ${toneOf(name)}"></span><b>${name}</b><span class="grow">${module.away ? t.health.away(silent) : missing.length ? missing.map(([part, reason]) => `${part}: ${reason}`).join("; ") : t.health.ready}</span>
      <span class="num">${numbers?.hub?.[name] === false ? t.health.disconnected : ""}</span><span class="num">${module.version}</span><span class="num" title=${t.health.twin}>v${module.twin_version ?? "–"}</span></li>`;
  })}</ul>`;
}

const first = (value) => Array.isArray(value) ? value[0] : value;
const text = (value) => typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
