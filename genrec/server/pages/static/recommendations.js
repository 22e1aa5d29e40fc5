// Asks for a list and shows it as it grows. Each card has a place from the first moment on: only what is in it changes.

const form = document.querySelector("#ask");
const list = document.querySelector("#cards");
const status = document.querySelector("#status");
let asked = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
if (form.elements.user_id.value) ask();

async function ask() {
  asked?.abort();
  const asking = (asked = new AbortController());
  const said = new URLSearchParams(new FormData(form));
  begin(Number(form.elements.n.value));
  remember(said);
  try {
    await follow(said, asking.signal);
  } catch (error) {
    if (!asking.signal.aborted) fail(error.name === "TypeError" ? form.dataset.offline : error.message);
  } finally {
    if (asked === asking) list.ariaBusy = "false";
  }
}

async function follow(said, signal) {
  const answer = await fetch("/pages/recommendations/list", {
    method: "POST",
    body: said,
    signal,
    headers: { "HX-Request": "true", "X-CSRF-Token": document.body.dataset.csrf },
  });
  if (answer.headers.has("HX-Redirect")) return location.assign(answer.headers.get("HX-Redirect"));
  if (!answer.ok) return show.problem({ problem: await answer.text() });
  let ended = false;
  for await (const [name, data] of events(answer.body)) {
    show[name](data);
    ended = name === "end" || name === "problem";
  }
  if (!ended) throw new Error(form.dataset.cutOff);
}

const show = {
  list({ id, cards, status, effect }) {
    form.elements.previous.value = id;
    while (list.children.length > cards.length) list.lastElementChild.remove();
    cards.forEach((html, place) => put(slot(place), html));
    put(document.querySelector("#status"), status);
  },
  order({ cards, status }) {
    cards.forEach((html, place) => {
      const before = slot(place).querySelector(".card")?.dataset.item;
      put(slot(place), html);
      const card = slot(place).querySelector(".card");
      card.classList.toggle("changed", card.dataset.item !== before);
    });
    put(document.querySelector("#status"), status);
  },
  reason({ rank, html }) {
    put(document.querySelector(`#reason-${rank}`), html);
  },
  end({ status, effect, outcome }) {
    put(document.querySelector("#status"), status);
    put(document.querySelector("#effect"), effect);
    put(document.querySelector("#outcome"), outcome);
  },
  problem({ problem }) {
    list.querySelectorAll(".waiting").forEach((card) => card.closest("li").remove());
    put(status, problem);
  },
};

function begin(count) {
  list.ariaBusy = "true";
  put(status, document.querySelector("#asking").innerHTML);
  put(document.querySelector("#outcome"), "");
  put(document.querySelector("#effect"), "");
  while (list.children.length > count) list.lastElementChild.remove();
  const waiting = document.querySelector("#waiting").content;
  while (list.children.length < count) list.append(waiting.cloneNode(true));
}

function slot(place) {
  while (list.children.length <= place) list.append(document.querySelector("#waiting").content.cloneNode(true));
  return list.children[place];
}

function put(element, html) {
  element.innerHTML = html;
  htmx.process(element);
}

function fail(text) {
  const paragraph = document.createElement("p");
  paragraph.className = "problem";
  paragraph.textContent = text;
  show.problem({ problem: paragraph.outerHTML });
}

function remember(said) {
  const kept = new URLSearchParams([...said].filter(([name, value]) => value && name !== "previous"));
  history.replaceState(null, "", `?${kept}`);
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const blocks = (text + read.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.event) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}
