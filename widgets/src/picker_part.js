// Several sessions to choose from.
import { h } from "./base.js";
import { now, renderDuration } from "./durations.js";
import { dot, keeper } from "./pieces.js";

export function makePicker(panel) {
  const body = h("div", { class: "curc-section curc-scroll" });
  const button = (label, action) => h("button", { type: "button", class: "curc-button", onclick: () => panel.act(action) }, label);
  const element = h("div", { class: "curc-picker" },
    h("div", { class: "curc-head" }, h("span", { class: "curc-title curc-grow" }, "Which session?")),
    body,
    h("div", { class: "curc-section curc-row curc-buttons" }, button("Look again", "refresh"), button("Launch another", "open_launch")));
  const keep = keeper(body);

  function update(state) {
    const sessions = state.sessions.map((row) => ({ ...row, left: row.ends_at ? renderDuration(row.ends_at - now()) : "no end" }));
    keep(sessions, () => (sessions.length ? drawTable(panel, sessions) : h("div", {}, "No session is running any more.")));
  }
  return { element, update };
}

function drawTable(panel, sessions) {
  const hasGpu = sessions.some((row) => row.gpu);
  const heads = ["Model", hasGpu ? "GPU" : null, "State", "Time left", "Owner", ""].filter((title) => title !== null);
  const head = h("tr", {}, heads.map((title) => h("th", { scope: "col" }, title)));
  const rows = sessions.map((row) => {
    const pick = h("button", { type: "button", class: "curc-button curc-primary curc-small", "aria-label": `Connect to ${row.name}`, onclick: () => panel.act("pick", { name: row.name }) }, "Connect");
    return h("tr", {},
      h("th", { scope: "row" }, h("div", {}, row.models), h("div", { class: "curc-quiet curc-mono" }, row.name)),
      hasGpu ? h("td", {}, row.gpu) : null,
      h("td", {}, h("span", { class: "curc-row curc-state" }, dot(row.is_ready ? "ok" : "busy"), h("span", { class: "curc-grow" }, row.status))),
      h("td", { class: "curc-figures" }, row.left),
      h("td", { class: "curc-owner" }, row.owner),
      h("td", {}, pick));
  });
  return h("table", { class: "curc-rows curc-sessions" }, h("thead", {}, head), h("tbody", {}, rows));
}
