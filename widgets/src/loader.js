// What each widget carries: it finds the page's code, which one model holds for all of them, and imports it once.

const REFERENCE = "IPY_MODEL_";
const PATIENCE_MS = 15_000;
const PAUSE_MS = 50;
// Kept on the page, for each widget has a copy of this file. By their text: a page can hold two versions.
const modules = (globalThis.curcLlmModules ??= new Map());

// When a notebook is opened, widgets are made in any order.
async function findCode(model) {
  const id = model.get("page").slice(REFERENCE.length);
  for (const deadline = Date.now() + PATIENCE_MS; ; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) {
    try {
      return (await model.widget_manager.get_model(id)).get("code");
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

function load(code) {
  if (!modules.has(code)) {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    modules.set(code, import(url).finally(() => URL.revokeObjectURL(url)));
  }
  return modules.get(code);
}

async function render(context) {
  let page;
  try {
    page = await load(await findCode(context.model));
  } catch (error) {
    console.error(error);
    context.el.textContent = "This widget's code isn't in the notebook any more. Run its cell again.";
    return undefined;
  }
  return page.default.render(context);
}

export default { render };
