// A camera in three steps: its source, tried before it is set; the model; the first picture.
import { html, useState } from "./vendor/htm-preact-3.1.1.js";
import { cameraNames, cameraState, state } from "./store.js";
import { applyPatch, callMethod, copy, methodCommand, Patch, Said } from "./hub.js";
import { Tile } from "./tile.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const EXAMPLES = ["rtsp://viewer:${CAMERA}@192.168.1.20/stream1", "/videos/dock.mp4", "/dev/video0", "synthetic://conveyor?seed=1&fps=10"];

function unused() {
  const taken = new Set(cameraNames());
  for (let n = 1; ; n++) if (!taken.has(`camera-${n}`)) return `camera-${n}`;
}

export function Setup({ go }) {
  const [source, setSource] = useState(""), [name, setName] = useState(unused), [found, setFound] = useState(null), [busy, setBusy] = useState(false), [said, setSaid] = useState(null), [added, setAdded] = useState(null);
  const written = source.trim(), taken = cameraNames().includes(name) && added !== name, named = NAME.test(name) && !taken;
  const check = async (event) => {
    event.preventDefault();
    setBusy(true); setFound(null); setSaid(null);
    const answer = await callMethod("camera", "probe_source", { source: written });
    setFound(answer.ok ? answer.payload : { ok: false, reason: answer.error });
    setBusy(false);
  };
  const patch = { module: "camera", patch: { cameras: { [name]: { source: written } } }, ok: Boolean(written) && named && (found?.ok || false), button: t.setup.add };
  const add = async () => {
    setSaid({ text: t.edit.sending });
    const { ok, told } = await applyPatch(patch.module, patch.patch);
    setSaid(ok ? null : { text: told.error, bad: true });
    if (ok) setAdded(name);
  };
  const model = state.modules.inference?.reported?.model_state?.id, missing = state.modules.inference?.missing?.["inference.model"];
  const camera = added && cameraState(added), live = camera?.state === "streaming";
  return html`<div class="setup"><h1>${t.setup.title}</h1><ol>
    <${Step} n="1" title=${t.setup.source} done=${added || found?.ok}>
      <form onSubmit=${check}><label class="field">${t.setup.sourceLabel}<input type="text" name="source" value=${source} maxlength="2048" spellcheck="false" autocomplete="off" placeholder=${EXAMPLES[0]} disabled=${Boolean(added)} onInput=${(event) => { setSource(event.target.value); setFound(null); }} /></label>
        <p class="muted small">${t.setup.examples} ${EXAMPLES.slice(1).map((one) => html`<button type="button" class="example" disabled=${Boolean(added)} onClick=${() => { setSource(one); setFound(null); }}>${one}</button>`)}</p>
        <p class="muted small">${t.setup.secret}</p>
        ${state.me.edits ? html`<button class="main" disabled=${!written || busy || Boolean(added)}>${busy ? t.setup.checking : t.setup.check}</button>` : written && html`<div class="actions"><button type="button" class="plain" onClick=${() => copy(methodCommand("camera", "probe_source", { source: written }), setSaid)}><${Icon} name="cloud" />${t.setup.checkCommand}</button></div>`}</form>
      ${found && html`<${Found} found=${found} />`}
      <label class="field">${t.setup.name}<input type="text" name="name" value=${name} maxlength="64" disabled=${Boolean(added)} aria-invalid=${!named} onInput=${(event) => setName(event.target.value)} /></label>
      ${!named && html`<p class="wrong">${taken ? t.setup.taken : t.setup.badName}</p>`}
      ${written && !added && html`<${Patch} one=${patch} note=${state.me.edits && !found?.ok ? t.setup.checkFirst : null} onApply=${add} say=${setSaid} />`}
      ${!state.me.edits && html`<p class="muted small">${t.edit.cloudOwns}</p>`}<${Said} said=${said} /></${Step}>
    <${Step} n="2" title=${t.setup.model} done=${Boolean(model)}>
      ${model ? html`<p>${t.setup.serves} <b>${model}</b></p><p class="muted small">${t.setup.modelHelp}</p>` : html`<p class="wrong">${missing || t.health.noEngine}</p>`}</${Step}>
    <${Step} n="3" title=${t.setup.picture} done=${live}>
      ${added ? html`<${Tile} key=${added} name=${added} /><div class="actions"><button class="main" disabled=${!live} onClick=${() => go("live", added)}>${t.setup.open}</button></div>` : html`<p class="muted">${t.setup.pictureHelp}</p>`}</${Step}></ol></div>`;
}

function Step({ n, title, done, children }) {
  return html`<li class="card step"><span class="number ${done ? "done" : ""}" aria-hidden="true">${done ? html`<${Icon} name="check" />` : n}</span><div class="grow"><h2>${title}</h2>${children}</div></li>`;
}

// What the camera module found behind the address.
function Found({ found }) {
  if (!found.ok) return html`<div class="found bad" role="status"><b>${t.setup.noPicture}</b><p>${found.reason || found.cause}</p></div>`;
  const facts = [found.size?.replace("x", " × "), found.fps && t.facts.perSecond(found.fps), found.decoder, found.kind, found.tls && `TLS: ${found.tls}`].filter(Boolean);
  return html`<div class="found good" role="status"><b>${t.setup.works}</b><p>${facts.join(" · ")}</p>${found.caution && html`<p class="not-yet">${found.caution}</p>`}</div>`;
}
