// Results as files, made here: nothing is sent for it.

import { $, announce, make } from "./dom.js";
import { asBlob, pdfOf } from "./pdf.js";
import { sheetOf } from "./sheet.js";

export function startDownloads(session, model, { viewer, heat }) {
  const sheet = () => sheetOf(session.shown, model, viewer.image(), heat.on ? session.shown.why : null);
  const makers = {
    pdf: () => pdfOf(sheet(), `Research use only: ${session.shown.name}`),
    png: () => asBlob(sheet().canvas, "image/png"),
    json: () => asJson({ ...told(session.shown), ...about(model) }),
  };
  for (const [kind, maker] of Object.entries(makers)) {
    $(`save-${kind}`).addEventListener("click", async () => {
      const name = `${stem(session.shown.name)}.cxr.${kind}`;
      save(await maker(), name);
    });
  }
  $("save-all").addEventListener("click", () =>
    save(asJson({ ...about(model), images: session.images.map(told) }), "cxr-results.json"));
}

function told({ name, record, error }) {
  return { file: name, ...(record ?? { error: error?.message ?? "not read" }) };
}

function about({ name, digest, cxr, population, disclaimer }) {
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
