// Light or dark: the system's choice until the button is pressed. Not remembered: nothing is stored.

import { $ } from "./dom.js";

const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

function updateButton() {
  $("theme").querySelector("span").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
}

export function startTheme() {
  $("theme").addEventListener("click", switchTheme);
  system.addEventListener("change", updateButton);
  updateButton();
}

export function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  updateButton();
}
