// What went wrong is said until somebody presses something else.

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.requestConfig.triggeringEvent?.type === "click") document.querySelector("#notice").replaceChildren();
});
