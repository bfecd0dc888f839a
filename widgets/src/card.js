// A session at a glance.
export { drawSession as drawCard } from "./session.js";
