// The list of sessions, and then the one that was picked.
export { drawSession as drawPicker } from "./session.js";
