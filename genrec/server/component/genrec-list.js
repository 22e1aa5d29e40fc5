/**
 * <genrec-list>: recommendations with their reasons, for any page. No dependencies; documented in docs/component.md.
 *
 * What the service says is only ever put in as text: no markup of a title or a reason becomes markup of the page.
 */

const SERVICE = new URL("..", import.meta.url);
const ANYBODY = "anonymous";
const SILENCE_MS = 45_000; // the service sends a heartbeat every ten seconds

const TEXTS = {
  en: {
    heading: "Recommended for you",
    loading: "Looking for recommendations…",
    writing: "Reasons are on their way…",
    ready: (count) => (count === 1 ? "1 recommendation" : `${count} recommendations`),
    rank: "The language model did not answer: search chose the order.",
    explain: "Plainer reasons: the language model did not answer.",
    empty: "There is nothing to recommend yet.",
    error: "Recommendations cannot be shown right now.",
    cut: "Connection lost: some reasons are missing.",
    retry: "Try again",
    llm: "Ranked by the model",
    retrieval: "Found by search",
    popular: "Popular",
    explore: "Something different",
    unexplained: "No reason was given.",
    why: (count) => `Why this? (${count})`,
    like: "Like",
    dismiss: "Not for me",
    event: "You did",
    attribute: "About you",
    context: "Right now",
    item: "This item",
    instruction: "You asked",
  },
  zh: {
    heading: "为你推荐",
    loading: "正在寻找推荐…",
    writing: "正在补充理由…",
    ready: (count) => `${count} 条推荐`,
    rank: "语言模型没有回应：顺序由检索决定。",
    explain: "理由从简：语言模型没有回应。",
    empty: "暂时没有可推荐的内容。",
    error: "现在无法显示推荐。",
    cut: "连接中断，部分理由缺失。",
    retry: "重试",
    llm: "模型排序",
    retrieval: "检索所得",
    popular: "热门",
    explore: "换换口味",
    unexplained: "没有给出理由。",
    why: (count) => `为什么推荐？(${count})`,
    like: "喜欢",
    dismiss: "不感兴趣",
    event: "你做过",
    attribute: "关于你",
    context: "此刻",
    item: "此项",
    instruction: "你的要求",
  },
};

// Every part of a card has its height before it has its text, and the sum is said to whoever skips cards out of sight.
const STYLE = `
:host {
  display: block;
  --text: var(--genrec-text, light-dark(#1d2126, #eceff3));
  --muted: var(--genrec-muted, light-dark(#59616b, #a7b0bb));
  --surface: var(--genrec-surface, light-dark(#ffffff, #1c2026));
  --border: var(--genrec-border, light-dark(#d9dee4, #363d47));
  --accent: var(--genrec-accent, light-dark(#0b5fc4, #8cbcff));
  --chip: var(--genrec-chip, light-dark(#eef2f6, #2a3039));
  --warning: var(--genrec-warning, light-dark(#7a4b00, #f2c46d));
  --lines: var(--genrec-reason-lines, 4);
  color: var(--text);
  font: var(--genrec-font, 1rem/1.5 system-ui, sans-serif);
  line-height: 1.5;
}
:host([hidden]) { display: none }
* { box-sizing: border-box; margin: 0; padding: 0 }
.heading { font-size: 1.25em; line-height: 1.3 }
.bar { display: flex; align-items: flex-start; gap: .75em; min-block-size: 3.75em; padding-block: .25em .5em }
.status { color: var(--muted); font-size: .9375em; max-inline-size: 80ch }
[data-state=degraded] .status, [data-state=cut] .status, [data-state=error] .status { color: var(--warning) }
button {
  min-block-size: 2em; padding-inline: .625em; border: 1px solid var(--border); border-radius: 1em; font: inherit;
  font-size: .875em; line-height: 1.2; color: var(--text); background: none; cursor: pointer; white-space: nowrap;
}
button:hover { border-color: currentcolor }
button[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: var(--surface) }
:is(a, button):focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; border-radius: 2px }
[hidden] { display: none !important }
ol, ul { list-style: none }
.items {
  display: grid; align-items: start; gap: var(--genrec-gap, 1em);
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--genrec-column, 18em)), 1fr));
}
.item {
  --height: calc(9em + 2px + var(--lines) * 1.5em);
  display: grid; gap: .375em; min-block-size: var(--height); padding: .875em; overflow-wrap: anywhere;
  border: 1px solid var(--border); border-radius: var(--genrec-radius, .75em); background: var(--surface);
  content-visibility: auto; contain-intrinsic-block-size: auto calc(var(--height) - 1.75em - 2px);
}
.head { min-block-size: 4.5em }
.source { block-size: 1.5em; overflow: hidden; color: var(--muted) }
.source span { font-size: .8125em }
.title, .reason { display: -webkit-box; -webkit-box-orient: vertical; overflow: hidden; unicode-bidi: plaintext }
.title { max-block-size: 3em; -webkit-line-clamp: 2; font-weight: 600 }
.title :is(a, button) { color: inherit; font: inherit; text-decoration-color: var(--accent); text-underline-offset: .2em }
.title button {
  display: inline; min-block-size: 0; padding: 0; border: 0; white-space: normal; text-align: start;
  text-decoration: underline; text-decoration-color: var(--accent); line-height: inherit;
}
.reason { block-size: calc(var(--lines) * 1.5em); -webkit-line-clamp: var(--lines) }
.reason.missing { color: var(--muted) }
.open :is(.title, .reason) { display: block; max-block-size: none; block-size: auto }
.open .reason { min-block-size: calc(var(--lines) * 1.5em) }
.buttons { display: flex; gap: .375em; block-size: 2em; align-items: center }
.why { margin-inline-end: auto }
.dismissed .title { text-decoration: line-through }
.evidence { display: grid; gap: .375em; padding-block-start: .25em }
.evidence li { padding: .375em .625em; border-radius: .5em; background: var(--chip); font-size: .875em; unicode-bidi: plaintext }
.kind { display: block; color: var(--muted); font-size: .875em }
.blank :is(.source, .title)::before, .reason:empty::before {
  content: ""; display: block; block-size: .75em; inline-size: 70%; margin-block: .375em; border-radius: .375em;
  background: var(--border);
}
.blank .source::before { inline-size: 35% }
.blank .buttons { visibility: hidden }
.reason:empty::before { inline-size: 100%; box-shadow: 0 1.5em var(--border) }
:not([aria-busy=true]) > .items > .blank { visibility: hidden }
[data-state=error] > .items > .blank, [data-state=empty] > .items > .blank { visibility: visible; opacity: .3 }
@media (prefers-reduced-motion: no-preference) {
  [aria-busy=true] :is(.blank :is(.source, .title), .reason:empty)::before { animation: wait 1s ease-in-out infinite alternate }
}
@keyframes wait { to { opacity: .4 } }
@media (forced-colors: active) { .item, button { border-color: CanvasText } }
`;

const ATTRIBUTES = ["src", "key", "user", "user-token", "n", "language", "instruction", "heading", "href", "feedback"];
const CONTEXT = "context-";

/** The service said no. `code` and `status` are its own. */
class Refusal extends Error {
  constructor({ code, message }, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

class GenrecList extends HTMLElement {
  static observedAttributes = [...ATTRIBUTES, ...["time", "place", "device"].map((name) => CONTEXT + name)];

  #section = make("section", "list");
  #heading = make("h2", "heading");
  #status = make("p", "status");
  #retry = make("button", "retry");
  #items = make("ol", "items");
  #rows = [];
  #asking = null;
  #due = false;
  #answer = null;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#status.setAttribute("role", "status");
    this.#items.setAttribute("role", "list"); // without bullets Safari does not take it for one
    this.#retry.type = "button";
    this.#retry.addEventListener("click", () => this.reload());
    const bar = make("div", "bar");
    bar.append(this.#status, this.#retry);
    this.#section.append(this.#heading, bar, this.#items);
    root.append(this.#section);
  }

  connectedCallback() {
    this.#reloadSoon();
  }

  disconnectedCallback() {
    this.#asking?.abort();
    this.#asking = null;
  }

  attributeChangedCallback(_, before, now) {
    if (before !== now) this.#reloadSoon();
  }

  /** `loading`, `ready`, `degraded`, `empty`, `cut` (some reasons are missing) or `error`. */
  get state() {
    return this.#section.dataset.state;
  }

  /** The last answer: `id`, `user_id`, `prompt`, `model`, `items`, and `fallback` once it is whole; or null. */
  get recommendation() {
    return this.#answer;
  }

  /** Ask again. Resolves when the answer is whole, or has failed; the state says which. */
  async reload() {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.#begin();
    try {
      await this.#receive(asking);
    } catch (error) {
      if (this.#asking === asking && this.isConnected) this.#fail(error);
    }
  }

  /** Many attributes set one after the other are one question. */
  #reloadSoon() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.reload();
    });
  }

  async #receive(asking) {
    const response = await fetch(this.#url(), { ...this.#request(), signal: asking.signal });
    if (!response.ok) throw await refusal(response);
    for await (const { name, data } of eventsOf(response, asking)) {
      if (name === "meta" || name === "order") this.#show(name === "meta" ? data : { ...this.#answer, ...data });
      else if (name === "item") this.#explain(data);
      else if (name === "error") throw new Refusal(data.error, response.status);
      else if (name === "done") return this.#finish(data);
    }
    throw new TypeError("the stream ended before the answer did");
  }

  #url() {
    const base = new URL(this.src || SERVICE, document.baseURI);
    return new URL("v1/recommend", base.href.endsWith("/") ? base : `${base}/`);
  }

  #request() {
    const said = {
      user_id: this.user || ANYBODY,
      profiling: Boolean(this.user),
      n: this.#count(),
      context: this.#context(),
      instruction: this.instruction ?? "",
      language: this.#language(),
      stream: true,
    };
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.key ?? ""}` };
    if (this.userToken) headers["X-User-Token"] = this.userToken;
    return { method: "POST", headers, body: JSON.stringify(said), credentials: "omit", cache: "no-store" };
  }

  #count() {
    return Number(this.n) || 5;
  }

  #context() {
    const said = [...this.attributes].filter(({ name, value }) => name.startsWith(CONTEXT) && value);
    return Object.fromEntries(said.map(({ name, value }) => [name.slice(CONTEXT.length), value]));
  }

  #language() {
    return (this.language || document.documentElement.lang).toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  #texts() {
    return TEXTS[this.#language()];
  }

  #begin() {
    const texts = this.#texts();
    const heading = this.heading ?? texts.heading;
    this.#section.lang = this.#language();
    this.#section.setAttribute("aria-label", heading || texts.heading);
    this.#heading.textContent = heading;
    this.#heading.hidden = !heading;
    this.#retry.textContent = texts.retry;
    this.#answer = null;
    this.#enter("loading", texts.loading);
    this.#show(null);
  }

  #enter(state, text) {
    const retry = state === "error" || state === "cut";
    this.#section.dataset.state = state;
    this.#section.setAttribute("aria-busy", String(state === "loading"));
    this.#status.textContent = text;
    this.#retry.hidden = !retry;
  }

  /** Cards in order; those that were reserved and are not needed stay blank, so that the page below does not move. */
  #show(answer) {
    this.#answer = answer;
    const items = answer?.items ?? [];
    if (items.length) this.#status.textContent = this.#texts().writing;
    this.#rows = Array.from({ length: Math.max(items.length, this.#count()) }, (_, place) => this.#row(items[place]));
    this.#items.replaceChildren(...this.#rows);
  }

  #row(item) {
    const row = make("li", item ? "item" : "item blank");
    const head = make("div", "head");
    const title = make("p", "title");
    const source = make("p", "source");
    head.append(title, source);
    const reason = make("p", "reason");
    const buttons = make("div", "buttons");
    row.append(head, reason, buttons);
    if (!item) {
      row.ariaHidden = "true";
      return row;
    }
    const texts = this.#texts();
    source.append(make("span", "badge", texts[item.source] ?? item.source));
    title.append(this.#title(item));
    const evidence = make("ul", "evidence");
    evidence.hidden = true;
    buttons.append(this.#why(row, item, evidence), ...(this.feedback === null ? [] : this.#verdicts(row, item)));
    row.append(evidence);
    return row;
  }

  #title(item) {
    const url = this.#link(item.item_id);
    const title = make(url ? "a" : "button", "title-link", item.title);
    if (url) title.href = url;
    else title.type = "button";
    title.addEventListener("click", (event) => {
      if (!this.#emit("genrec-select", { item, recommendationId: this.#answer.id }, true)) event.preventDefault();
    });
    return title;
  }

  /** Where an item leads to, or null: nothing but the web, and `.` and `..` are no names in a path. */
  #link(itemId) {
    if (!this.href || /^\.{1,2}$/.test(itemId)) return null;
    const path = this.href.replaceAll("{item_id}", () => encodeURIComponent(itemId));
    const url = URL.parse(path, document.baseURI);
    return url && ["http:", "https:"].includes(url.protocol) ? url.href : null;
  }

  #why(row, item, evidence) {
    const texts = this.#texts();
    const why = make("button", "why", texts.why(item.evidence.length));
    why.type = "button";
    why.setAttribute("aria-expanded", "false");
    why.setAttribute("aria-label", `${texts.why(item.evidence.length)}: ${item.title}`);
    evidence.append(...item.evidence.map((cited) => chip(cited, texts)));
    why.addEventListener("click", () => {
      const open = row.classList.toggle("open");
      evidence.hidden = !open;
      why.setAttribute("aria-expanded", String(open));
    });
    return why;
  }

  #verdicts(row, item) {
    const texts = this.#texts();
    const buttons = ["like", "dismiss"].map((verdict) => {
      const button = make("button", verdict, texts[verdict]);
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", `${texts[verdict]}: ${item.title}`);
      button.addEventListener("click", () => {
        const pressed = button.getAttribute("aria-pressed") !== "true";
        for (const each of buttons) each.setAttribute("aria-pressed", String(pressed && each === button));
        row.classList.toggle("dismissed", pressed && verdict === "dismiss");
        this.#emit("genrec-feedback", { item, verdict, pressed, recommendationId: this.#answer.id });
      });
      return button;
    });
    return buttons;
  }

  #explain(item) {
    const place = this.#answer.items.findIndex((shown) => shown.item_id === item.item_id);
    if (place < 0) return;
    this.#answer.items[place] = item;
    this.#rows[place].querySelector(".reason").textContent = item.reason?.text ?? "";
  }

  #finish({ fallback, warnings }) {
    Object.assign(this.#answer, { fallback, warnings });
    const texts = this.#texts();
    const count = this.#answer.items.length;
    this.#admitMissing();
    if (fallback) this.#enter("degraded", texts[fallback.stage] ?? texts.rank);
    else this.#enter(count ? "ready" : "empty", count ? texts.ready(count) : texts.empty);
    this.#emit("genrec-load", this.#answer);
  }

  #fail(error) {
    const texts = this.#texts();
    if (this.#answer) {
      this.#admitMissing();
      this.#enter("cut", texts.cut);
    } else if (error.code === "empty_catalogue") this.#enter("empty", texts.empty);
    else this.#enter("error", texts.error);
    this.#emit("genrec-error", { code: error.code ?? "unreachable", status: error.status ?? 0, message: error.message });
  }

  /** Where no reason will come any more, say so. */
  #admitMissing() {
    for (const [place] of this.#answer.items.entries()) {
      const reason = this.#rows[place].querySelector(".reason");
      if (reason.textContent) continue;
      reason.textContent = this.#texts().unexplained;
      reason.classList.add("missing");
    }
  }

  #emit(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles: true, composed: true }));
  }
}

for (const name of ATTRIBUTES) {
  const property = name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  Object.defineProperty(GenrecList.prototype, property, {
    get() {
      return this.getAttribute(name);
    },
    set(value) {
      if (value === null || value === undefined) this.removeAttribute(name);
      else this.setAttribute(name, value);
    },
  });
}

/** An element whose classes are also its parts, by which a page can style it. */
function make(tag, names, text) {
  const made = document.createElement(tag);
  made.className = names;
  made.part = names;
  if (text !== undefined) made.textContent = text;
  return made;
}

function chip(cited, texts) {
  const made = make("li", "chip");
  made.append(make("span", "kind", texts[cited.type] ?? cited.type), cited.text);
  return made;
}

async function refusal(response) {
  const body = await response.json().catch(() => null); // a proxy may answer in the place of the service
  return new Refusal(body?.error ?? { code: "unreachable", message: response.statusText }, response.status);
}

/** Server-sent events, until the stream ends. A stream that stands still is given up. */
async function* eventsOf(response, asking) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const silence = setTimeout(() => asking.abort(new TypeError("the stream stands still")), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    yield* blocks.map(parsed).filter(({ data }) => data !== undefined);
  }
}

function parsed(block) {
  const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/s.exec(line));
  const of = (field) => fields.filter((found) => found?.[1] === field).map((found) => found[2]);
  const data = of("data").join("\n");
  return { name: of("event")[0] ?? "message", data: data ? JSON.parse(data) : undefined };
}

if (!customElements.get("genrec-list")) customElements.define("genrec-list", GenrecList);
