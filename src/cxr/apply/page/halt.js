// The bar that needsToken for a token or says that the server is gone; afterwards the work goes on.

import { useToken } from "./api.js";
import { $ } from "./dom.js";

let resume = () => {};

export function startHalt() {
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useToken($("token").value.trim());
    $("token").value = "";
    close();
  });
  $("again").addEventListener("click", close);
}

/** Until a token is given or "Try again" is pressed; then `next`. */
export function halt(error, next) {
  resume = next;
  const needsToken = error.kind === "token";
  $("halt-message").textContent = error.message;
  $("token-form").hidden = !needsToken;
  $("again").hidden = needsToken;
  $("halt").hidden = false;
  if (needsToken) $("token").focus();
}

function close() {
  $("halt").hidden = true;
  resume();
}
