// Looks again every few seconds, while somebody sees the page.

const EVERY_MS = 5000;
const look = () => document.hidden || document.querySelector("#figures").dispatchEvent(new Event("look"));

setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
