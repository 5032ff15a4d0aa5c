// Puts the parts together: files in, films and answers out.

import { filmOf, modelFacts, predict } from "./api.js";
import { thumbnail } from "./develop.js";
import { $, announce } from "./dom.js";
import { startDownloads } from "./download.js";
import { startDrop } from "./drop.js";
import { halt, startHalt } from "./halt.js";
import { startKeys } from "./keys.js";
import { List } from "./list.js";
import { Queue, patiently } from "./queue.js";
import { Result, aboutWords } from "./result.js";
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
    open(await patiently(modelFacts));
  } catch (error) {
    if (!error.kind) throw error;
    halt(error, start);
  }
}

function open(model) {
  $("population").textContent = model.population;
  $("model-name").textContent = [model.name, model.digest?.slice(0, 8)].filter(Boolean).join(" ");
  $("about-words").replaceChildren(...aboutWords(model));
  const session = new Session();
  const stage = new Stage(session);
  const queue = new Queue(session, (film) => read(session, film), {
    onHalt: (error) => halt(error, () => queue.start()),
    onIdle: () => finished(session),
  });
  const result = new Result(model, (film) => queue.add([film]));
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

/** Stage and result show the film that the session shows. */
function follow(session, stage, result) {
  session.addEventListener("shown", ({ detail: film }) => {
    result.show(film);
    stage.show(film);
    if (film?.state !== "done") return;
    announce(spoken(film));
    if (!film.pixels) again(session, film);
  });
  session.addEventListener("film", ({ detail: film }) => {
    if (film === session.shown) result.show(film);
  });
  session.addEventListener("picture", ({ detail: film }) => {
    if (film === session.shown) stage.show(film);
  });
}

/** The answer, then the film; a film that cannot be shown still has its answer. */
async function read(session, film) {
  if (!film.record) session.change(film, { record: await predict(film.file) });
  try {
    await load(session, film);
  } catch (error) {
    if (!["file", "server"].includes(error.kind)) throw error;
    session.change(film, { unseen: error.message });
  }
}

async function load(session, film) {
  const pixels = await filmOf(film.file);
  session.change(film, { pixels, thumb: film.thumb ?? thumbnail(pixels, 104) });
}

/** A film whose pixels were let go. */
async function again(session, film) {
  try {
    await patiently(() => load(session, film));
  } catch (error) {
    session.change(film, { unseen: error.message });
  }
}

function finished({ films, shown }) {
  $("save-all").hidden = films.length < 2;
  const failed = films.filter((film) => film.state === "failed").length;
  const all = `${films.length - failed} films were read${failed ? `, ${failed} could not be` : ""}.`;
  announce([films.length > 1 && all, shown && spoken(shown)].filter(Boolean).join(" "));
}
