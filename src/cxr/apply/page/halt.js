// The bar that asks for a token or says that the server is gone, and what then goes on.

import { useToken } from "./api.js";
import { $ } from "./dom.js";

let goOn = () => {};

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
  goOn = next;
  const asks = error.kind === "token";
  $("halt-words").textContent = error.message;
  $("token-form").hidden = !asks;
  $("again").hidden = asks;
  $("halt").hidden = false;
  if (asks) $("token").focus();
}

function close() {
  $("halt").hidden = true;
  goOn();
}
