// One module for all widgets: the trait `view` says which of them to draw.
import { openPanel } from "./base.js";
import { drawBatch } from "./batch.js";
import { drawCard } from "./card.js";
import { drawChat } from "./chat.js";
import { drawCompare } from "./compare.js";
import { drawLaunch } from "./launch.js";
import { drawMarkdown } from "./markdown_view.js";
import { drawMetrics } from "./metrics.js";
import { drawPicker } from "./picker.js";

const VIEWS = {
  batch: drawBatch,
  card: drawCard,
  chat: drawChat,
  compare: drawCompare,
  launch: drawLaunch,
  markdown: drawMarkdown,
  metrics: drawMetrics,
  picker: drawPicker,
};

function render({ model, el }) {
  const draw = VIEWS[model.get("view")];
  const panel = openPanel(model, el);
  if (!draw) {
    panel.notice("This widget is of another version of curc-llm.", "Run its cell again.");
    return panel.close;
  }
  // A view may return what to do when it is taken away.
  const end = draw(panel);
  return () => {
    end?.();
    panel.close();
  };
}

export default { render };
