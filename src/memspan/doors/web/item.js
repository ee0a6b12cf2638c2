// One turn or record: its words, since when it holds, where it comes from, what was made of it, what happened to it.
async function item(asked, still) {
  const id = asked.get("id") || "";
  const [one, past] = await Promise.all([get(itemPath(id)), get(`${itemPath(id)}/history`)]);
  const state = one.state || {};
  const replaced = past.events.filter((each) => each.id === id && each.heir).pop();
  const heir = state.heir || (replaced ? replaced.heir : "");
  const now = heir ? await get(itemPath(heir)).catch(() => null) : null;
  if (!still()) return;
  const turn = one.kind === "turn";
  put(
    BOX,
    h(
      "p",
      { class: "back" },
      button("← Back", () => (history.length > 1 ? history.back() : go("timeline")), { class: "quiet" }),
    ),
    h(
      "header",
      { class: "item-head" },
      h("h1", {}, h("bdi", {}, turn ? visible(who(one)) || "Turn" : visible(one.kind))),
      h(
        "p",
        { class: "lead" },
        time(turn ? one.at : one.valid_from || one.recorded_at),
        turn && one.role !== "user" ? ` · ${one.role}` : "",
        one.session ? [" · ", link("timeline", { session: one.session }, {}, h("bdi", {}, short(one.session)))] : "",
      ),
      h(
        "p",
        { class: "tags" },
        tags({ ...one, kind: "turn" }),
        heir && !state.heir && tag("superseded"),
        trusted(one.trust),
      ),
    ),
    h("div", { class: "words" }, hidden(one) || said(one.text, 20_000)),
    MEMORY.writable ? acts(one, heir) : "",
    validity(one, now),
  );
  const more = await Promise.all([
    now && section("What replaced it", entry(now)),
    around(one),
    history_(past.events, id),
    facts(one),
  ]);
  if (still()) BOX.append(...parts(more));
}

// now: what replaced it, where something did
function validity(one, now) {
  const { state = {} } = one;
  const from = one.kind === "turn" ? one.at || one.seen_at : one.valid_from || one.recorded_at;
  const to = state.valid_to || one.valid_to || (now && (now.at || now.valid_from)) || state.expire_at || null;
  return timeBar({ from, to, learned: one.seen_at || one.recorded_at, last: new Date().toISOString() });
}

// sources, what was derived, links: only so many are fetched, the rest is counted
const NEAR = 8;
async function around(one) {
  const many = async (ids) => {
    const got = await Promise.all(ids.slice(0, NEAR).map((id) => get(itemPath(id)).catch(() => null)));
    return [
      ...got.filter(Boolean).map((each) => entry(each)),
      ids.length > NEAR && h("p", { class: "quiet-words" }, `and ${whole(ids.length - NEAR)} more`),
    ];
  };
  const [made, { links }] = await Promise.all([
    one.kind === "turn" ? get("records", { source: one.id, limit: NEAR }) : { records: [], next: null },
    get("links", { about: one.id }),
  ]);
  const sources = one.kind === "turn" ? [] : await many(one.sources);
  return [
    sources.length > 0 && section("Where it comes from", sources),
    made.records.length > 0 &&
      section(
        "What was made of it",
        made.records.map((each) => entry(each)),
        made.next && h("p", { class: "quiet-words" }, "and more"),
      ),
    links.length > 0 && section("Links", await linked(links, one.id)),
  ];
}
async function linked(links, id) {
  const shown = links.slice(0, 3 * NEAR);
  const others = new Map();
  await Promise.all(
    shown.map(async (one) => {
      const other = one.source === id ? one.target : one.source;
      others.set(other, await get(itemPath(other)).catch(() => null));
    }),
  );
  const line = (one) => {
    const out = one.source === id,
      other = out ? one.target : one.source,
      there = others.get(other);
    return h(
      "li",
      {},
      h("span", { class: "tag kind" }, visible(one.kind)),
      out ? " → " : " ← ",
      h("bdi", {}, toItem(other, {}, there ? (quarantined(there) ? OUT_OF_SIGHT : short(there.text)) : "gone")),
      one.weight < 1 && h("span", { class: "quiet-words" }, ` ${one.weight.toFixed(2)}`),
    );
  };
  return [
    h("ul", { class: "lines" }, shown.map(line)),
    links.length > shown.length && h("p", { class: "quiet-words" }, `and ${whole(links.length - shown.length)} more`),
  ];
}

const history_ = (events, id) =>
  events.length > 0 &&
  section(
    "History",
    h(
      "ol",
      { class: "events" },
      events.map((one) =>
        h(
          "li",
          {},
          time(one.at),
          h("b", {}, one.what),
          one.id !== id && toItem(one.id, {}, short(one.text || "another version", 60)),
          one.why && h("span", { class: "quiet-words" }, h("bdi", {}, short(one.why, 200))),
        ),
      ),
    ),
  );

function facts(one) {
  const { state = {} } = one;
  const rows = [
    ["Id", h("code", {}, visible(one.id))],
    ["Kind", visible(one.kind)],
    ["Role", one.role],
    ["Happened", one.at && time(one.at)],
    ["Learned", (one.seen_at || one.recorded_at) && time(one.seen_at || one.recorded_at)],
    ["Confidence", one.confidence],
    ["Trust", one.trust],
    ["Made by", one.recipe && visible(one.recipe)],
    ["Names", one.entities && one.entities.length > 0 && visible(one.entities.join(", "))],
    ["Used", state.uses ? `${amount(state.uses, "time")}, last ${when(state.used_at)}` : null],
    [
      "Meta",
      one.meta &&
        Object.keys(one.meta).length > 0 &&
        h("pre", {}, visible(clipped(JSON.stringify(one.meta, null, 2), 4000))),
    ],
  ];
  return section(
    "Facts",
    h(
      "dl",
      { class: "facts" },
      rows
        .filter(([, value]) => !none(value) && value !== "" && value !== false)
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}

// ---- what can be done with it -------------------------------------------------------------------------------------
function acts(one, heir) {
  const { state = {} } = one;
  const change = (verb, done) => async () => {
    await post(`${itemPath(one.id)}/${verb}`, {});
    say(done);
    render();
  };
  const away = ["archived", "superseded", "quarantined"].includes(state.status);
  return h(
    "div",
    { class: "acts", role: "group", "aria-label": "What can be done" },
    !heir && button("Correct", () => correcting(one)),
    state.pinned
      ? acting("Unpin", change("unpin", "Unpinned."))
      : acting("Pin", change("pin", "Pinned: it is never archived for room.")),
    state.held
      ? acting("Release", change("release", "Released."))
      : acting("Hold", change("hold", "On hold: it may not be forgotten.")),
    away
      ? acting("Restore", change("restore", "Restored."))
      : acting("Archive", change("archive", "Archived: no recall finds it. Restore brings it back.")),
    button("Forget …", () => go("forget", { ids: one.id }), { class: "grave" }),
  );
}

function correcting(one) {
  dialog("Correct", (close) =>
    form(
      async (data) => {
        const made = await post(`${itemPath(one.id)}/correct`, { text: data.get("text"), reason: data.get("reason") });
        close();
        say("Corrected: the old words step back behind the new ones.");
        go("item", { id: made.id });
      },
      field("What is right", h("textarea", { name: "text", rows: 5, required: true, dir: "auto" }, one.text)),
      field("Why", h("input", { name: "reason", autocomplete: "off" }), "kept with the change"),
      h("div", { class: "acts" }, h("button", { class: "primary" }, "Correct"), button("Cancel", close)),
    ),
  );
}
