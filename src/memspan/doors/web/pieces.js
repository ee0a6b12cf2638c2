// Pieces that several views are made of.
const BOX = document.getElementById("main");
const params = () => new URLSearchParams(location.hash.slice(1));
const SCOPE = () => (MEMORY.facts ? MEMORY.facts.scope : params().get("scope") || "");
function address(view, more = {}) {
  const to = new URLSearchParams({ scope: SCOPE(), view });
  for (const [name, value] of Object.entries(more)) if (value) to.set(name, value);
  return `#${to}`;
}
const go = (view, more) => {
  location.hash = address(view, more);
};
const link = (view, more, attributes, ...kids) => h("a", { href: address(view, more), ...attributes }, kids);
const toItem = (id, attributes, ...kids) => link("item", { id }, attributes, kids);

const button = (label, act, attributes) => h("button", { type: "button", on: { click: act }, ...attributes }, label);
// a button that cannot be pressed twice while its work is done, and says what went wrong
const acting = (label, act, attributes) =>
  button(
    label,
    async (event) => {
      const pressed = event.currentTarget;
      if (pressed.getAttribute("aria-disabled") === "true") return;
      pressed.setAttribute("aria-disabled", "true");
      try {
        await act(event);
      } catch (why) {
        say(told(why), true);
      } finally {
        pressed.removeAttribute("aria-disabled");
      }
    },
    attributes,
  );
const told = (why) => {
  if (!(why instanceof Refused)) console.error(why);
  return why instanceof Refused ? why.message : "This page made a mistake; the browser's console has the details.";
};

let hushing = 0;
function say(text, trouble = false) {
  const box = document.getElementById("said");
  clearTimeout(hushing);
  box.className = trouble ? "trouble" : "";
  box.replaceChildren(h("p", {}, text));
  hushing = setTimeout(() => box.replaceChildren(), trouble ? 9000 : 5000);
}

const parts = (kids) =>
  kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false && kid !== "");
const put = (box, ...kids) => box.replaceChildren(...parts(kids));
const title = (text, lead) => [h("h1", {}, text), lead && h("p", { class: "lead" }, lead)];
const note = (...kids) => h("p", { class: "note" }, kids);
const empty = (...kids) => h("p", { class: "empty" }, kids);
const section = (name, ...kids) => {
  const id = `s-${name.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, name), kids);
};

// remembered text: text nodes, in a direction of its own, long ones folded
function said(text, most = 1200) {
  const box = h("p", { class: "said", dir: "auto" });
  const shown = clipped(text, most);
  box.append(visible(shown));
  if (shown.length === text.length) return box;
  const more = button(`… show all ${whole(text.length)} characters`, () => box.replaceChildren(visible(text)), {
    class: "quiet",
  });
  box.append(" ", more);
  return box;
}

const tag = (kind, words) => {
  const [label, title] = MARKS[kind];
  return h("span", { class: `tag ${kind}`, title }, words || label);
};
function tags(one, state = one.state || {}) {
  return [
    one.kind && one.kind !== "turn" && h("span", { class: "tag kind" }, visible(one.kind)),
    state.status && state.status !== "active" && tag(state.status),
    state.pinned && tag("pinned"),
    state.held && tag("held"),
    state.expire_at && tag("expiring", `expires ${day(state.expire_at)}`),
    one.suspect && tag("suspect"),
  ];
}
const trusted = (trust) =>
  none(trust) || trust >= 1
    ? null
    : h(
        "span",
        { class: "tag", title: "1 = the user's own words, 0 = nobody knows whose" },
        `trust ${trust.toFixed(2)}`,
      );

// a turn or record in a list: when, who, what
function entry(one, { dated = true } = {}) {
  const at = one.kind === "turn" ? one.at : one.valid_from || one.recorded_at || one.at;
  const name = one.kind === "turn" || one.speaker ? visible(who(one)) : visible(one.kind);
  return h(
    "article",
    { class: "entry", "data-id": one.id },
    h(
      "div",
      { class: "head" },
      h("bdi", { class: "who" }, name),
      one.role && one.role !== "user" && one.role !== one.speaker && h("span", { class: "role" }, one.role),
      toItem(one.id, { class: "at", "aria-label": `${when(at)}: open` }, time(at, dated ? when(at) : clock(at) || "·")),
      h("span", { class: "tags" }, tags({ ...one, kind: name === one.kind ? "turn" : one.kind })),
    ),
    hidden(one) || said(one.text, one.kind === "turn" ? 1200 : 260), // what is derived repeats its turns
  );
}
// what holds secrets is shown to whoever asks for it, not to whoever looks over a shoulder
const OUT_OF_SIGHT = "kept out of sight";
const quarantined = (one) => Boolean(one.state && one.state.status === "quarantined");
function hidden(one) {
  if (!quarantined(one)) return null;
  const box = h("p", { class: "said" });
  box.append(button("Show what is kept out of sight", () => box.replaceWith(said(one.text)), { class: "quiet" }));
  return box;
}

// ---- dialogs: Esc closes them, the focus goes back to where it was ------------------------------------------------
function dialog(name, build) {
  const box = h("dialog", { "aria-label": name });
  const close = () => box.close();
  const back = document.activeElement;
  box.append(...parts([h("h2", {}, name), build(close)]));
  box.addEventListener("close", () => {
    box.remove();
    if (back && back.isConnected) back.focus();
  });
  box.addEventListener("click", (event) => event.target === box && close());
  document.body.append(box);
  box.showModal();
  return box;
}
let fields = 0;
function field(label, input, hint) {
  const id = `f${++fields}`;
  fill(input, { id, "aria-describedby": hint && `${id}h` }, []);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint && h("small", { id: `${id}h` }, hint),
  );
}
const form = (submit, ...kids) =>
  h(
    "form",
    {
      on: {
        submit: async (event) => {
          event.preventDefault();
          try {
            await submit(new FormData(event.currentTarget));
          } catch (why) {
            say(told(why), true);
          }
        },
      },
    },
    kids,
  );

// ---- a list that is fetched page by page --------------------------------------------------------------------------
// fetch(after) gives {rows, next}; draw(row) a node; what came is put below what is there
function paged(fetch, draw, { nothing, label = "Show more", box = h("div", {}) }) {
  let after = "";
  const foot = h("div", { class: "foot" });
  const load = async (focus) => {
    const { rows, next, told: words } = await fetch(after);
    const made = parts(rows.map(draw));
    box.append(...made);
    after = next;
    const more = none(next) || next === "" ? null : acting(label, () => load(true), { class: "more" });
    put(foot, words && h("p", { class: "quiet-words" }, words), more);
    if (!box.childElementCount && !more) box.append(empty(nothing));
    if (focus && made[0]) {
      made[0].setAttribute("tabindex", "-1");
      made[0].focus();
    }
  };
  return { node: h("div", {}, box, foot), load };
}

// ---- when something held, on the span of the memory ---------------------------------------------------------------
function timeBar({ from, to, learned, first, last }) {
  const at = (iso) => new Date(iso).getTime();
  const known = [from, to, first, last, learned].filter((iso) => !none(iso)).map(at);
  if (!known.length || none(from)) return null;
  const low = Math.min(...known),
    high = Math.max(...known);
  const place = (iso) => (high > low ? (100 * (at(iso) - low)) / (high - low) : 0);
  const start = place(from),
    end = none(to) ? 100 : Math.max(start, place(to));
  const wrong = !none(to) && at(to) <= at(from);
  const words = none(to)
    ? `Holds since ${when(from)}`
    : wrong
      ? "Never held: corrected from the start"
      : `Held from ${when(from)} until ${when(to)}`;
  return h(
    "figure",
    { class: "span" },
    h(
      "div",
      { class: "rail", role: "img", "aria-label": words },
      !wrong &&
        h("i", {
          class: none(to) ? "held open" : "held",
          vars: { left: `${start}%`, width: `${Math.max(0.8, end - start)}%` },
        }),
      learned && h("i", { class: "learned", title: `Learned ${when(learned)}`, vars: { left: `${place(learned)}%` } }),
    ),
    h(
      "figcaption",
      {},
      h("b", {}, words),
      learned && h("span", {}, h("i", { class: "learned key" }), `learned ${when(learned)}`),
    ),
  );
}

// up and down walk through the items of a list; one of them is a stop for the Tab key
function walking(box, items) {
  const stops = () => [...box.querySelectorAll(items)];
  const first = stops()[0];
  stops().forEach((one) => one.setAttribute("tabindex", one === first ? "0" : "-1"));
  box.addEventListener("keydown", (event) => {
    const all = stops(),
      here = all.indexOf(event.target.closest(items));
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (here < 0 || none(to) || !all[to]) return;
    event.preventDefault();
    all[here].setAttribute("tabindex", "-1");
    all[to].setAttribute("tabindex", "0");
    all[to].focus();
  });
}
