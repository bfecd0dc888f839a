// The form that launches a session, and then shows it.
export { drawSession as drawLaunch } from "./session.js";
