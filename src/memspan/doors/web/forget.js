// Forgetting: choose, see what would go, confirm just that, get the receipt.
const WAYS = {
  where: "by session, speaker, source or time",
  query: "what holds all these words",
  ids: "by id",
  everything: "the whole scope",
};
const WHERE = [
  ["session", "Session", {}],
  ["speaker", "Speaker", {}],
  ["source", "Source", {}, "where it came from: meta.source"],
  ["since", "Since", { type: "date" }],
  ["until", "Until", { type: "date" }, "that day not included"],
];

function chosen(asked) {
  const input = (name, attributes) =>
    h("input", { name, value: asked.get(name) || "", autocomplete: "off", ...attributes });
  const way = asked.get("ids") ? "ids" : asked.get("way") || "where";
  const fields = {
    where: () => WHERE.map(([name, label, attributes, hint]) => field(label, input(name, attributes), hint)),
    query: () => field("Words", input("query", { required: true })),
    ids: () =>
      field(
        "Ids",
        h("textarea", { name: "ids", rows: 2, required: true }, (asked.get("ids") || "").split(",").join("\n")),
        "one a line",
      ),
    everything: () => h("p", { class: "quiet-words" }, "All turns and records of this scope go."),
  };
  const box = h("div", { class: "fields" }, fields[way]());
  const pick = h(
    "select",
    { name: "way", on: { change: (event) => put(box, fields[event.target.value]()) } },
    Object.entries(WAYS).map(([value, word]) => h("option", { value, selected: value === way }, word)),
  );
  return [h("div", { class: "way" }, field("What", pick)), box];
}
function selector(data) {
  const way = data.get("way");
  if (way === "everything") return { everything: true };
  if (way === "query") return { query: data.get("query") };
  if (way === "ids") return { ids: data.get("ids").split(/\s+/).filter(Boolean) };
  const given = WHERE.map(([name]) => [name, data.get(name)]).filter(([, value]) => value);
  if (!given.length) throw new Refused("Say what: give a session, a speaker, a source or a time.");
  return Object.fromEntries(given);
}

async function forget(asked, still) {
  const plan = h("div", { "aria-live": "polite" }),
    past = h("div", {});
  const dry = async (data) => {
    const wanted = selector(data);
    plan.replaceChildren(empty("Looking …"));
    try {
      plan.replaceChildren(await planned(await post("forget", { ...wanted, dry_run: true }), wanted, plan, past));
    } catch (why) {
      plan.replaceChildren();
      throw why;
    }
  };
  const choosing_ = form(
    dry,
    chosen(asked),
    h("div", { class: "acts" }, h("button", { class: "primary" }, "Show what would go")),
  );
  put(
    BOX,
    title(
      "Forget",
      "What is forgotten is erased from every table, index and history, with all that was made of it. First you see what would go; nothing happens before you confirm.",
    ),
    MEMORY.writable
      ? choosing_
      : note("This page is a file: nothing can be forgotten here. Use the page of memspan serve, or memspan forget."),
    plan,
    past,
  );
  await receipts(past);
  if (still() && asked.get("ids") && MEMORY.writable) choosing_.requestSubmit();
}

const SHOWN = 10;
async function planned(found, wanted, plan, past) {
  if (!found.items) return empty("Nothing would go: nothing meets this.");
  const some = await Promise.all(found.ids.slice(0, SHOWN).map((id) => get(itemPath(id)).catch(() => null)));
  const rest = found.items - some.filter(Boolean).length;
  return h(
    "section",
    { class: "plan", "aria-label": "What would go" },
    h("h2", {}, `${amount(found.items, "item")} would go`),
    h(
      "ul",
      { class: "entries" },
      some.filter(Boolean).map((one) => h("li", {}, entry(one))),
    ),
    rest > 0 && h("p", { class: "quiet-words" }, `and ${whole(rest)} more`),
    counted(found.rows),
    found.kept.length > 0 && note(`${amount(found.kept.length, "item")} on hold would stay.`),
    h("p", { class: "quiet-words" }, `Not covered: ${found.not_covered}.`),
    h(
      "div",
      { class: "acts" },
      button(`Erase ${amount(found.items, "item")} …`, () => confirming(found, wanted, plan, past), { class: "grave" }),
    ),
  );
}
const counted = (rows) =>
  h(
    "dl",
    { class: "glance small" },
    Object.entries(rows)
      .filter(([, count]) => count)
      .map(([name, count]) => h("div", {}, h("dt", {}, `rows of ${name}`), h("dd", {}, whole(count)))),
  );

function confirming(found, wanted, plan, past) {
  dialog("Erase for good?", (close) => {
    const erase = acting("Erase for good", () => erasing(found, wanted, plan, past, close), { class: "grave" });
    return [
      h(
        "p",
        {},
        `${amount(found.items, "item")}, chosen ${found.selector}, what was made of the turns included. This cannot be undone.`,
      ),
      h(
        "p",
        { class: "quiet-words" },
        "Just what was shown: ",
        h("code", {}, found.digest.slice(0, 16)),
        ". Where something else would go by now, nothing does.",
      ),
      h("div", { class: "acts" }, erase, button("Keep it", close)),
    ];
  });
}

async function erasing(found, wanted, plan, past, close) {
  let receipt;
  try {
    receipt = await post("forget", { ...wanted, confirm: found.digest });
  } catch (why) {
    if (why.status !== 409) throw why;
    close();
    put(plan, await planned(await post("forget", { ...wanted, dry_run: true }), wanted, plan, past));
    return say("By now something else would go, so nothing was erased. Look again at what would go.", true);
  }
  close();
  put(plan, h("section", { class: "plan done" }, h("h2", {}, "Forgotten"), receiptOf(receipt)));
  say(`${amount(receipt.items, "item")} forgotten.`);
  return receipts(past);
}

const STATUS = {
  erased: "No byte of it is left in the file and its log.",
  pending: "Gone from every table; a reader still pins the log, where bytes stay until it is done.",
};
const receiptOf = (one) =>
  h(
    "article",
    { class: "receipt" },
    h("p", {}, h("b", {}, one.status), " ", time(one.at), ` · ${amount(one.items, "item")}, ${one.selector}`),
    h("p", { class: "quiet-words" }, STATUS[one.status] || ""),
    counted(one.rows),
    h("p", { class: "digest" }, h("code", {}, one.digest)),
  );
async function receipts(box) {
  const got = await get("receipts");
  const newest = [...got.receipts].reverse();
  const some = newest.slice(0, 20);
  box.replaceChildren(
    section(
      "Receipts",
      some.length ? some.map(receiptOf) : empty("Nothing was forgotten in this scope yet."),
      newest.length > some.length &&
        h("p", { class: "quiet-words" }, `and ${whole(newest.length - some.length)} older ones`),
    ),
  );
}
