// A model file of one's own, dropped on the page: sent to the local run, imported there by evidence, then tried.
import { html, useEffect, useRef, useState } from "./vendor/htm-preact-3.1.1.js";
import { state } from "./store.js";
import { Said } from "./hub.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

const ALIGN = ["centre", "top_left", "stretch"];

// 4 bytes of length, what is said of the file, the file: one body, so that both arrive or none.
function body(file, choices) {
  const head = new TextEncoder().encode(JSON.stringify({ name: file.name, choices }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, head.length);
  return new Blob([length, head, file]);
}

// {ok, answer} or {ok: false, error}. `told` gets the share that is sent.
function send(file, choices, told) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/models");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => told(loaded / total);
    request.onload = () => {
      const answer = request.response || {};
      done(request.status === 200 ? { ok: true, answer } : { ok: false, answer, error: answer.reason || answer.error || t.drop.failed(request.status) });
    };
    request.onerror = () => done({ ok: false, answer: {}, error: t.drop.notSent });
    request.send(body(file, choices));
  });
}

// What the person knows better than the evidence; nothing chosen, nothing said.
function chosen(fields) {
  const choices = {}, labels = (fields.labels || "").split("\n").map((line) => line.trim()).filter(Boolean);
  for (const name of ["family", "input", "align", "size"]) if (fields[name]?.trim()) choices[name] = fields[name].trim();
  if (labels.length) choices.labels = labels;
  if (fields.trust) choices.trust = true;
  return choices;
}

// onImported(path): tried beside the serving model.
export function Drop({ onImported, trying }) {
  const picker = useRef(), [fields, setFields] = useState({});
  const set = (name, value) => setFields({ ...fields, [name]: value });
  const [file, setFile] = useState(null), [step, setStep] = useState(null), [result, setResult] = useState(null), [over, setOver] = useState(false), [said, setSaid] = useState(null);
  const take = async (one, choices = {}) => {
    if (!one || step) return;
    // What was chosen for this very file stays on the page, should it be refused once more.
    setFile(one); setSaid(null);
    if (one !== file) { setResult(null); setFields({}); }
    if (!state.me.drops) return setSaid({ text: t.drop.elsewhere, bad: true });
    if (one.size > state.me.drop_bytes_max) return setSaid({ text: t.drop.tooLarge(one.name, state.me.drop_bytes_max >> 20), bad: true });
    setStep({ text: t.drop.sending, share: 0 });
    const found = await send(one, choices, (share) => setStep(share < 1 ? { text: t.drop.sending, share } : { text: t.drop.importing }));
    setStep(null); setResult(found);
    if (found.ok) onImported(found.answer.imported.path);
  };
  useEffect(() => {
    // Everywhere on this view: what a browser does with a dropped file otherwise is to leave the page.
    const files = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    const hover = (event) => { if (files(event)) { event.preventDefault(); setOver(true); } };
    const leave = (event) => { if (!event.relatedTarget) setOver(false); };
    const drop = (event) => { if (files(event)) { event.preventDefault(); setOver(false); take(event.dataTransfer.files[0]); } };
    addEventListener("dragover", hover); addEventListener("dragleave", leave); addEventListener("drop", drop);
    return () => { removeEventListener("dragover", hover); removeEventListener("dragleave", leave); removeEventListener("drop", drop); };
  });
  const imported = result?.ok && result.answer.imported;
  return html`<section class="card drop ${over ? "over" : ""}"><h2>${t.drop.title}</h2>
    ${state.me.drops ? html`<p class="muted small">${t.drop.help}</p>
      <input type="file" accept=".onnx,.zip" class="visually-hidden" tabindex="-1" aria-label=${t.drop.title} ref=${picker} onChange=${(event) => { take(event.target.files[0]); event.target.value = ""; }} />
      <div class="actions"><button class="plain" disabled=${Boolean(step)} onClick=${() => picker.current.click()}><${Icon} name="plus" />${t.drop.choose}</button></div>` : html`<p class="muted small">${t.drop.elsewhere}</p>`}
    ${step && html`<p role="status"><progress max="1" value=${step.share} aria-label=${step.text}></progress> ${step.text}</p>`}
    ${imported && html`<div class="found good"><b>${imported.name}</b> <span class="muted">${t.drop.facts(imported)}</span>
      <dl>${imported.concluded.map((one) => html`<dt>${t.drop.question[one.question] || one.question}</dt><dd>${one.answer}<br /><small>${one.because}</small></dd>`)}</dl>
      <p class="muted small">${trying ? t.drop.trying : t.drop.kept}</p><p class="muted small num">sha256 ${imported.sha256}</p></div>`}
    ${result && !result.ok && html`<div class="found bad" role="alert"><b>${file.name}</b><p>${result.error}</p></div>`}
    ${result && !result.ok && result.answer.families?.length && html`<form class="choices" onSubmit=${(event) => { event.preventDefault(); take(file, chosen(fields)); }}>
      <p class="small">${t.drop.choices}</p>
      ${[["family", result.answer.families], ["input", result.answer.inputs], ["align", ALIGN]].map(([name, options]) => html`<label class="field">${t.drop[name]}<select name=${name} value=${fields[name] || ""} onChange=${(event) => set(name, event.target.value)}>
        <option value="">${t.drop.byEvidence}</option>${options.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>`)}
      <label class="field">${t.drop.size}<input type="text" name="size" pattern="[1-9][0-9]*x[1-9][0-9]*" placeholder="640x640" maxlength="11" value=${fields.size || ""} onInput=${(event) => set("size", event.target.value)} /></label>
      <label class="field">${t.drop.labels}<textarea name="labels" rows="3" spellcheck="false" value=${fields.labels || ""} onInput=${(event) => set("labels", event.target.value)}></textarea></label>
      <label class="check"><input type="checkbox" name="trust" checked=${Boolean(fields.trust)} onChange=${(event) => set("trust", event.target.checked)} />${t.drop.trust}</label>
      <div class="actions"><button class="main" disabled=${Boolean(step)}>${t.drop.again}</button></div></form>`}
    <${Said} said=${said} /></section>`;
}
