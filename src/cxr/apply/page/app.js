// Connects the parts of the page: files in, images and predictions out.

import { loadPixels, modelInfo, predict } from "./api.js";
import { thumbnail } from "./render.js";
import { $, announce } from "./dom.js";
import { startDownloads } from "./download.js";
import { startDrop } from "./drop.js";
import { halt, startHalt } from "./halt.js";
import { startKeys } from "./keys.js";
import { List } from "./list.js";
import { Queue, retryWhileBusy } from "./queue.js";
import { Result, aboutModel } from "./result.js";
import { Session } from "./session.js";
import { shortcuts } from "./shortcuts.js";
import { Stage } from "./stage.js";
import { startTheme } from "./theme.js";
import { spoken } from "./words.js";

startTheme();
startHalt();
start();

async function start() {
  try {
    open(await retryWhileBusy(modelInfo));
  } catch (error) {
    if (!error.kind) throw error;
    halt(error, start);
  }
}

function open(model) {
  $("population").textContent = model.population;
  $("model-name").textContent = [model.name, model.digest?.slice(0, 8)].filter(Boolean).join(" ");
  $("about-model").replaceChildren(...aboutModel(model));
  const session = new Session();
  const stage = new Stage(session);
  const queue = new Queue(session, (image) => predictAndLoad(session, image), {
    onHalt: (error) => halt(error, () => queue.start()),
    onIdle: () => finished(session),
  });
  const result = new Result(model, (image) => queue.add([image]));
  new List(session);
  follow(session, stage, result);
  startDrop((files) => queue.add(session.add(files)));
  startDownloads(session, model, stage);
  startKeys(shortcuts(session, stage));
  $("clear").addEventListener("click", () => {
    queue.clear();
    session.clear();
    $("save-all").hidden = true;
    $("choose").focus();
  });
  document.body.dataset.ready = "true";
}

/** Stage and result show the image that the session shows. */
function follow(session, stage, result) {
  session.addEventListener("shown", ({ detail: image }) => {
    result.show(image);
    stage.show(image);
    if (image?.state !== "done") return;
    announce(spoken(image));
    if (!image.pixels) reload(session, image);
  });
  session.addEventListener("image", ({ detail: image }) => {
    if (image === session.shown) result.show(image);
  });
  session.addEventListener("pixels", ({ detail: image }) => {
    if (image === session.shown) stage.show(image);
  });
}

/** The prediction, then the pixels; an image that cannot be shown still has its prediction. */
async function predictAndLoad(session, image) {
  if (!image.prediction) session.change(image, { prediction: await predict(image.file) });
  try {
    await load(session, image);
  } catch (error) {
    if (!["file", "server"].includes(error.kind)) throw error;
    session.change(image, { displayError: error.message });
  }
}

async function load(session, image) {
  const pixels = await loadPixels(image.file);
  session.change(image, { pixels, thumb: image.thumb ?? thumbnail(pixels, 104) });
}

/** An image whose pixels are no longer in memory. */
async function reload(session, image) {
  try {
    await retryWhileBusy(() => load(session, image));
  } catch (error) {
    session.change(image, { displayError: error.message });
  }
}

function finished({ images, shown }) {
  $("save-all").hidden = images.length < 2;
  const failed = images.filter((image) => image.state === "failed").length;
  const all = `Images read: ${images.length - failed}.${failed ? ` Not readable: ${failed}.` : ""}`;
  announce([images.length > 1 && all, shown && spoken(shown)].filter(Boolean).join(" "));
}
