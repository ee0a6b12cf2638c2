// The frame: whose memory, which view, the key, light or dark; and what happens when the address changes.
const VIEWS = {
  timeline: ["Timeline", timeline],
  search: ["Search", search],
  graph: ["Graph", graph],
  changed: ["Changes", changed],
  forget: ["Forget", forget],
};
const ALL = { ...VIEWS, item: ["", item] };
let turn = 0;

async function render() {
  const asked = params(),
    view = Object.hasOwn(ALL, asked.get("view") || "") ? asked.get("view") : "timeline";
  const mine = ++turn,
    still = () => mine === turn;
  frame(view);
  if (!SCOPE()) return welcome();
  BOX.setAttribute("aria-busy", "true");
  try {
    await ALL[view][1](asked, still);
  } catch (why) {
    if (still()) trouble(why);
  } finally {
    if (still()) BOX.removeAttribute("aria-busy");
  }
}

function trouble(why) {
  const again =
    why instanceof Refused && why.status === 401
      ? button("API key", keyDialog, { class: "primary" })
      : button("Try again", render);
  BOX.replaceChildren(h("h1", {}, "That did not work"), note(told(why)), h("div", { class: "acts" }, again));
}
function welcome() {
  put(
    BOX,
    title(
      "Whose memory?",
      "A scope is whose memory it is: a path like alice or acme/alice. One scope never sees another, and none is listed here.",
    ),
    scopeForm(true),
  );
  BOX.querySelector("input").focus();
}

function scopeForm(large) {
  const submit = (data) => {
    const scope = data.get("scope").trim();
    if (scope) location.hash = new URLSearchParams({ scope, view: "timeline" });
  };
  const input = h("input", {
    name: "scope",
    value: SCOPE(),
    placeholder: "acme/alice",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 256,
    required: true,
    "aria-label": "Scope",
  });
  return form(
    submit,
    h(
      "div",
      { class: large ? "ask" : "ask small" },
      input,
      h(
        "button",
        { class: large ? "primary" : "", "aria-label": large ? null : "Open this scope" },
        large ? "Open" : "→",
      ),
    ),
  );
}

function frame(view) {
  const fixed = h(
    "p",
    { class: "scope-name" },
    h("bdi", {}, visible(SCOPE())),
    h("small", {}, MEMORY.facts ? `as of ${when(MEMORY.facts.made_at)}` : ""),
  );
  document.getElementById("whose").replaceChildren(MEMORY.facts ? fixed : scopeForm(false));
  document
    .getElementById("views")
    .replaceChildren(
      ...Object.entries(VIEWS).map(([name, [word]]) =>
        link(name, {}, { "aria-current": name === view && "page" }, word),
      ),
    );
  document.title = [VIEWS[view] ? VIEWS[view][0] : "Item", SCOPE(), "memspan"].filter(Boolean).map(oneLine).join(" · ");
  const keyButton = !MEMORY.facts && button(MEMORY.hasKey ? "API key ✓" : "API key", keyDialog, { class: "quiet" });
  put(document.getElementById("settings"), keyButton, themeButton());
}

function keyDialog() {
  dialog("API key", (close) =>
    form(
      (data) => {
        MEMORY.key = data.get("key");
        close();
        render();
      },
      field(
        "Key",
        h("input", { name: "key", type: "password", autocomplete: "off", placeholder: "msp_…" }),
        "Kept in this tab only, until it is closed, and sent to this server only. Empty takes it away.",
      ),
      h("div", { class: "acts" }, h("button", { class: "primary" }, "Use it"), button("Cancel", close)),
    ),
  );
}

// light and dark follow the system until somebody says otherwise
const THEMES = { "": "Auto", light: "Light", dark: "Dark" };
function theme(name) {
  if (name) document.documentElement.setAttribute("data-theme", name);
  else document.documentElement.removeAttribute("data-theme");
}
function themeButton() {
  const now = () => document.documentElement.getAttribute("data-theme") || "";
  const next = () => {
    const names = Object.keys(THEMES);
    const name = names[(names.indexOf(now()) + 1) % names.length];
    theme(name);
    kept.write(inBrowser, "memspan.theme", name);
    frame(params().get("view") || "timeline");
    document.getElementById("theme").focus();
  };
  return button(`Theme: ${THEMES[now()]}`, next, { id: "theme", class: "quiet" });
}

const skip = document.getElementById("skip");
skip.addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  BOX.focus();
});
window.addEventListener("hashchange", async () => {
  window.scrollTo(0, 0);
  await render();
  const question = BOX.querySelector("input[name=q]");
  (question || BOX).focus({ preventScroll: true }); // whoever goes by key or by ear starts at what is new
});
const saved = kept.read(inBrowser, "memspan.theme");
if (Object.hasOwn(THEMES, saved)) theme(saved);
render();
