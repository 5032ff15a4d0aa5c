// Results as files, made in the browser: nothing is sent for it.

import { $, announce, make } from "./dom.js";
import { asBlob, pdfOf } from "./pdf.js";
import { sheetOf } from "./sheet.js";

export function startDownloads(session, model, { viewer, heat }) {
  const sheet = () => sheetOf(session.shown, model, viewer.snapshot(), heat.on ? session.shown.explanation : null);
  const makers = {
    pdf: () => pdfOf(sheet(), `Research use only: ${session.shown.name}`),
    png: () => asBlob(sheet().canvas, "image/png"),
    json: () => asJson({ ...resultOf(session.shown), ...modelOf(model) }),
  };
  for (const [kind, maker] of Object.entries(makers)) {
    $(`save-${kind}`).addEventListener("click", async () => {
      const name = `${stem(session.shown.name)}.cxr.${kind}`;
      save(await maker(), name);
    });
  }
  $("save-all").addEventListener("click", () =>
    save(asJson({ ...modelOf(model), images: session.images.map(resultOf) }), "cxr-results.json"));
}

function resultOf({ name, prediction, error }) {
  return { file: name, ...(prediction ?? { error: error?.message ?? "not read" }) };
}

function modelOf({ name, digest, cxr, population, disclaimer }) {
  return { model: { name, digest, cxr, population }, disclaimer, made: new Date().toISOString() };
}

const asJson = (value) => new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: "application/json" });

const stem = (name) => name.replace(/\.[^.]{1,6}$/, "") || "image";

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  announce(`${name} was saved.`);
}
