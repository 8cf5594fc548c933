// The model that serves, an update on its way, and another model beside it on the same live frames.
import { html, useState } from "./vendor/htm-preact-3.1.1.js";
import { cameraNames, state } from "./store.js";
import { TRIAL_TONES } from "./draw.js";
import { Drop } from "./drop.js";
import { Engine, Trial, Update } from "./health.js";
import { callMethod, copy, methodCommand, Patch, Said, applyPatch } from "./hub.js";
import { Tile } from "./tile.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

export function Models() {
  const reported = state.modules.inference?.reported || {}, shelf = reported.model_state?.shelf || [], tried = reported.tryout_state;
  const [name, setName] = useState(null), [variant, setVariant] = useState(""), [busy, setBusy] = useState(false), [said, setSaid] = useState(null), [camera, setCamera] = useState(null);
  const wanted = name || shelf[0], request = { name: wanted, ...(variant.trim() && { variant: variant.trim() }) };
  const cameras = cameraNames(), shown = cameras.includes(camera) ? camera : cameras[0];
  const beside = Object.entries(reported.models_state || {}).filter(([, one]) => one.beside && one.model).map(([one]) => one);
  const onTrial = tried?.phase === "running" || ["shadowing", "waiting"].includes(reported.update_state?.phase), running = onTrial || beside.length > 0;
  const main = reported.model_state?.input_spec?.split("/")[0], second = [...beside.map(t.models.beside), ...(onTrial ? [t.models.trial] : [])].join(", ");
  const call = async (method, payload) => {
    setBusy(true); setSaid({ text: t.models.opening });
    const answer = await callMethod("inference", method, payload);
    setBusy(false); setSaid(answer.ok ? null : { text: answer.error, bad: true });
  };
  // One at a time: what is tried already makes room for what was dropped.
  const tryFile = async (path) => {
    if (tried?.phase === "running") await callMethod("inference", "end_try", {});
    await call("try_model", { path });
  };
  const serve = { module: "inference", patch: { model: request }, ok: Boolean(wanted), button: t.models.serve };
  const set = async () => { const { ok, told } = await applyPatch(serve.module, serve.patch); setSaid(ok ? { text: t.edit.sent(told.version), good: true } : { text: told.error, bad: true }); };
  return html`<div class="models"><h1 class="visually-hidden">${t.nav.models}</h1>
    <div class="compare">${shown ? html`<${Tile} key=${shown} name=${shown} large compare=${running} />` : html`<p class="card muted">${t.live.none}</p>`}
      ${running && html`<p class="legend"><span><span class="key" style=${{ background: TRIAL_TONES.serving }}></span>${main ? `${main} ${t.models.serving}` : t.models.serving}</span><span><span class="key" style=${{ background: TRIAL_TONES.trial }}></span>${second}</span>
        ${cameras.length > 1 && html`<label class="pick">${t.told.camera}<select value=${shown} onChange=${(event) => setCamera(event.target.value)}>${cameras.map((one) => html`<option>${one}</option>`)}</select></label>`}</p>`}</div>
    <aside>${reported.update_state && html`<section class="card"><h2>${t.health.update}</h2><${Update} /></section>`}
      <section class="card try"><h2>${t.models.try}</h2>
      ${tried && html`<p class="state"><span class="dot ${tried.phase === "running" ? "good" : "wait"}"></span><b>${tried.model}</b></p><p class="muted small">${tried.phase === "running" ? tried.engine : t.models.ended(tried.reason)}</p>${tried.trial && html`<${Trial} trial=${tried.trial} />`}`}
      ${tried?.phase !== "running" && html`<label class="field">${t.models.bundle}<select value=${wanted} onChange=${(event) => setName(event.target.value)}>${shelf.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
        <label class="field">${t.models.variant}<input type="text" value=${variant} maxlength="64" placeholder=${t.models.best} spellcheck="false" onInput=${(event) => setVariant(event.target.value)} /></label>`}
      <p class="muted small">${t.models.help}</p>
      <div class="actions">${state.me.edits ? (tried?.phase === "running" ? html`<button class="main" disabled=${busy} onClick=${() => call("end_try", {})}>${t.models.end}</button>` : html`<button class="main" disabled=${busy || !wanted} onClick=${() => call("try_model", request)}>${t.models.begin}</button>`) : html`<button class="plain" disabled=${!wanted} onClick=${() => copy(methodCommand("inference", "try_model", request), setSaid)}><${Icon} name="cloud" />${t.models.command}</button>`}</div>
      <${Said} said=${said} />
      ${wanted && tried?.phase !== "running" && html`<h2>${t.models.serveTitle}</h2><${Patch} one=${serve} onApply=${set} say=${setSaid} />`}</section>
    <${Drop} trying=${tried?.phase === "running"} onImported=${tryFile} />
    <section class="card"><h2>${t.health.engine}</h2><${Engine} /></section></aside></div>`;
}
