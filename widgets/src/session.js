// One widget that leads to a session: its state says which of list, form and card are shown.
import { h } from "./base.js";
import { makeCard } from "./card_part.js";
import { makeLaunchForm } from "./launch_part.js";
import { makePicker } from "./picker_part.js";

const PARTS = { picker: makePicker, launch: makeLaunchForm, card: makeCard };
// The card stands above a form that was opened from it; the list above one as well.
const ORDER = ["card", "picker", "launch"];

export function drawSession(panel) {
  const places = Object.fromEntries(ORDER.map((name) => [name, h("div", { hidden: true })]));
  const made = {};
  const empty = h("div", { class: "curc-section curc-quiet" }, "Looking for sessions …");
  panel.root.append(...ORDER.map((name) => places[name]), empty);
  panel.onState((state) => {
    empty.hidden = ORDER.some((name) => state[name]);
    for (const name of ORDER) {
      places[name].hidden = !state[name];
      if (!state[name]) {
        if (made[name] && name !== "card") {
          delete made[name]; // the next one begins afresh
          places[name].replaceChildren();
        }
        continue;
      }
      if (!made[name]) {
        made[name] = PARTS[name](panel);
        places[name].append(made[name].element);
      }
      made[name].update(state[name], state);
    }
  });
}
