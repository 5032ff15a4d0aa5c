// Shortcuts, and the help that lists them. Single letters can be switched off (WCAG 2.1.4).

import { $, make } from "./dom.js";

/** keys: [{keys: ["n"], names: ["N"], does: "what it does", run(event), onImage}], see `shortcuts`. */
export function startKeys(keys) {
  $("keys").replaceChildren(...keys.map(row));
  document.addEventListener("keydown", (event) => pressed(event, keys));
  $("help-button").addEventListener("click", openHelp);
}

function row({ names, does }) {
  const caps = names.flatMap((name) => [make("kbd", {}, name), " "]);
  return make("tr", {}, make("th", { scope: "row" }, ...caps), make("td", {}, does));
}

export function openHelp() {
  $("help").showModal();
}

function pressed(event, keys) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const onImage = document.activeElement === $("canvas");
  if (!onImage && (!$("keys-on").checked || typing(event))) return;
  const name = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
  const key = keys.find((one) => one.keys.includes(name) && (onImage || !one.onImage));
  if (!key) return;
  event.preventDefault();
  key.run(event);
}

function typing({ target, key }) {
  if (target.matches?.("input:not([type=range], [type=radio], [type=checkbox]), textarea")) return true;
  return target.matches?.("select") && key.length === 1; // letters choose an option there
}
