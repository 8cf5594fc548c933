// What the page changes: through the local hub where there is one, else as text for whoever owns the twin.
import { html } from "./vendor/htm-preact-3.1.1.js";
import { state } from "./store.js";
import { t } from "./strings.en.js";
import { Icon } from "./icons.js";

async function post(url, body) {
  try {
    const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return { ok: answer.ok, told: await answer.json() };
  } catch { return { ok: false, told: { error: t.connection.lost } }; }
}

export const applyPatch = (module, patch) => post("/api/twin", { module, patch });
export const undoPatch = () => post("/api/undo", {});

// {ok, payload} or {ok: false, error}: a method that answers 200, or why not.
export async function callMethod(module, method, payload) {
  const { ok, told } = await post("/api/method", { module, method, payload });
  if (!ok) return { ok, error: told.error };
  const good = told.status === 200;
  return { ok: good, payload: told.payload, error: good ? null : told.payload?.error || told.payload?.message || JSON.stringify(told.payload) };
}

const quoted = (value) => `'${JSON.stringify(value).replaceAll("'", "'\\''")}'`;
export const twinCommand = ({ module, patch }) => `az iot hub module-twin update --hub-name "$HUB" --device-id "$DEVICE" --module-id ${module} --desired ${quoted(patch)}`;
export const methodCommand = (module, method, payload) => `az iot hub invoke-module-method --hub-name "$HUB" --device-id "$DEVICE" --module-id ${module} --method-name ${method} --method-payload ${quoted(payload)}`;

export async function copy(text, say) {
  try { await navigator.clipboard.writeText(text); } catch {
    // Plain http on a LAN has no clipboard: the old way works there.
    const area = document.createElement("textarea");
    area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
  say({ text: t.edit.copied, good: true });
}

// The patch as it is, and what can be done with it.
export function Patch({ one, note, onApply, say }) {
  const text = JSON.stringify(one.patch, null, 2);
  return html`<div class="patch"><div class="patch-head"><b>${one.module}</b>${note && html`<span class="not-yet">${note}</span>`}</div><pre tabindex="0">${text}</pre>
    <div class="actions">${state.me.edits && html`<button class="main" disabled=${!one.ok} onClick=${onApply}>${one.button || t.edit.apply}</button>`}
      <button class="plain" onClick=${() => copy(text, say)}><${Icon} name="copy" />JSON</button>
      <button class="plain" onClick=${() => copy(twinCommand(one), say)}><${Icon} name="cloud" />az</button></div></div>`;
}

export const Said = ({ said }) => html`<p role="status" class=${said?.bad ? "wrong" : said?.good ? "good-text" : "muted"}>${said?.text || ""}</p>`;
