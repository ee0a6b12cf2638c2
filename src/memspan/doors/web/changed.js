// What superseded what, what contradicts what, and what happened lately.
async function pairOf(oldId, newId, words) {
  const side = async (id, text) => {
    const one = await get(itemPath(id)).catch(() => null);
    if (one) return entry(one);
    return h("article", { class: "entry" }, text ? said(text) : h("p", { class: "quiet-words" }, "It was forgotten."));
  };
  const [before, after] = await Promise.all([side(oldId, words.text), side(newId)]);
  return h(
    "li",
    { class: "pair" },
    h("div", { class: words.first ? "old" : "" }, words.first && h("h3", {}, words.first), before),
    h("div", { class: "new" }, words.second && h("h3", {}, words.second), after),
    h("p", { class: "quiet-words" }, words.foot),
  );
}

const AT_ONCE = 12;
function superseded() {
  const fetch = async (after) => {
    const got = await get("changes", { what: "superseded,corrected", newest: true, after, limit: AT_ONCE });
    const pairs = got.events.filter((one) => one.heir);
    const rows = await Promise.all(
      pairs.map((one) =>
        pairOf(one.id, one.heir, {
          text: one.text,
          first: "Before",
          second: "Since then",
          foot: ["Learned ", time(one.at), one.why && [": ", h("bdi", {}, short(one.why, 160))]],
        }),
      ),
    );
    return { rows, next: got.next };
  };
  return paged(fetch, (one) => one, {
    nothing: "Nothing was replaced by something newer yet.",
    box: h("ol", { class: "pairs" }),
  });
}

async function contradictions() {
  const { links } = await get("links", { kind: "contradicts", limit: 500 });
  const newest = [...links].reverse();
  let from = 0;
  const fetch = async () => {
    const some = newest.slice(from, from + AT_ONCE);
    from += some.length;
    const rows = await Promise.all(
      some.map((one) =>
        pairOf(one.target, one.source, { foot: "Memory cannot say which holds: a recall shows both." }),
      ),
    );
    return { rows, next: from < newest.length ? String(from) : null };
  };
  return paged(fetch, (one) => one, {
    nothing: "Nothing contradicts anything, as far as memory can tell.",
    box: h("ol", { class: "pairs" }),
  });
}

const TAKEN_BACK = new Set(["forgotten", "undone", "used"]);
function lately() {
  const offered = new Set(),
    secret = new Set(); // the newest come first, so that it was quarantined is told before its words
  const fetch = async (after) => {
    const got = await get("changes", { newest: true, after, limit: 25 });
    return { rows: got.events, next: got.next };
  };
  const draw = (one) => {
    const first = !offered.has(one.operation); // a call that did many things is taken back as one
    offered.add(one.operation);
    if (one.what === "quarantined") secret.add(one.id);
    const words = secret.has(one.id) ? OUT_OF_SIGHT : short(one.text.split("\n", 1)[0] || "forgotten words", 80);
    const back = acting(
      "Take back",
      async () => {
        const done = await post("undo", { operation: one.operation });
        say(`Taken back: ${amount(done.items, "item")} of operation ${done.operation}.`);
        render();
      },
      { class: "quiet", "aria-label": `Take back operation ${one.operation}` },
    );
    return h(
      "li",
      {},
      time(one.at),
      h("b", {}, one.what),
      h(
        "span",
        { class: "what" },
        one.id ? h("bdi", {}, toItem(one.id, {}, words)) : h("span", { class: "quiet-words" }, one.kind),
      ),
      first && MEMORY.writable && !TAKEN_BACK.has(one.what) ? back : "",
    );
  };
  return paged(fetch, draw, { nothing: "Nothing happened yet.", box: h("ol", { class: "events" }) });
}

async function changed(asked, still) {
  const lists = [superseded(), await contradictions(), lately()];
  await Promise.all(lists.map((one) => one.load()));
  if (!still()) return;
  const [replaced, against, events] = lists.map((one) => one.node);
  put(
    BOX,
    title(
      "Changes",
      "What holds now and what held before, old beside new; what memory cannot decide; and all that was done.",
    ),
    section("Superseded", replaced),
    section("Contradictions", against),
    section("Lately", events),
  );
}
