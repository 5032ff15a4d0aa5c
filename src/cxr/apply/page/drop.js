// Files come by drop anywhere on the page, by button, or by paste.

import { $ } from "./dom.js";

export function startDrop(onFiles) {
  const take = (files) => files.length && onFiles(files);
  for (const name of ["add", "choose"]) $(name).addEventListener("click", chooseFiles);
  $("files").addEventListener("change", () => {
    take([...$("files").files]);
    $("files").value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
  let depth = 0; // enter and leave come for every element on the way
  const highlight = (by) => {
    depth = by ? depth + by : 0;
    $("stage").classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", () => highlight(1));
  document.addEventListener("dragleave", () => highlight(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    highlight(0);
    take([...event.dataTransfer.files]);
  });
}

export function chooseFiles() {
  $("files").click();
}
