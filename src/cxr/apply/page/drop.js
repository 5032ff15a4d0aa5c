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
  let inside = 0; // enter and leave come for every element on the way
  const mark = (by) => {
    inside = by ? inside + by : 0;
    $("stage").classList.toggle("over", inside > 0);
  };
  document.addEventListener("dragenter", () => mark(1));
  document.addEventListener("dragleave", () => mark(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(0);
    take([...event.dataTransfer.files]);
  });
}

export function chooseFiles() {
  $("files").click();
}
