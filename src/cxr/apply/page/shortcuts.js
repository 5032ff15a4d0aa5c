// Which key does what: `names` are what the help shows, `onImage` ones need the focus on the image.

import { chooseFiles } from "./drop.js";
import { openHelp } from "./keys.js";
import { switchTheme } from "./theme.js";

const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ARROWS = Object.keys(TOWARDS);

export function shortcuts(session, stage) {
  const { viewer, windows, heat } = stage;
  const pan = ([right, down]) => viewer.pan(-40 * right, -40 * down);
  const nudge = ([right, down]) => windows.nudge(10 * right, 10 * down);
  return [
    { keys: ["o"], names: ["O"], does: "choose files", run: chooseFiles },
    { keys: ["n", "j"], names: ["N", "J"], does: "next image", run: () => session.step(1) },
    { keys: ["p", "k"], names: ["P", "K"], does: "previous image", run: () => session.step(-1) },
    { keys: ["h"], names: ["H"], does: "heat map on or off", run: () => heat.toggle() },
    { keys: ["i"], names: ["I"], does: "invert", run: () => windows.invert() },
    { keys: ["+", "="], names: ["+"], does: "zoom in", run: () => viewer.zoom(1) },
    { keys: ["-"], names: ["−"], does: "zoom out", run: () => viewer.zoom(-1) },
    { keys: ["0", "f"], names: ["0", "F"], does: "fit the image", run: () => viewer.fit() },
    { keys: ["r"], names: ["R"], does: "reset window and zoom", run: () => stage.reset() },
    { keys: ["w"], names: ["W"], does: "drag to window, or to pan", run: () => stage.otherTool() },
    {
      keys: ARROWS,
      names: ["Arrows"],
      does: "pan, with the focus on the image",
      onImage: true,
      run: ({ key }) => pan(TOWARDS[key]),
    },
    {
      keys: ARROWS.map((name) => `Shift+${name}`),
      names: ["Shift", "Arrows"],
      does: "brighter, darker, softer, harder, with the focus on the image",
      onImage: true,
      run: ({ key }) => nudge(TOWARDS[key]),
    },
    { keys: ["t"], names: ["T"], does: "light or dark", run: switchTheme },
    { keys: ["?"], names: ["?"], does: "this help", run: openHelp },
  ];
}
