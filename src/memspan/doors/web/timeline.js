// What is remembered, the newest first, with the memory's size and its due reminders above.
const GLANCE = [
  ["turns", (one) => whole(one.turns)],
  ["records", (one) => whole(one.records)],
  ["sessions", (one) => whole(one.sessions)],
  ["whole file", (one) => bytes(one.bytes)], // with the other scopes in it, so there is no size of one turn to tell
  ["setting", (one) => one.setting],
];
function glance(stats) {
  const span = none(stats.first_at) ? null : `${day(stats.first_at)} to ${day(stats.last_at)}`;
  const stale = Object.values(stats.without_vector || {}).reduce((sum, count) => sum + count, 0);
  return [
    h(
      "dl",
      { class: "glance" },
      GLANCE.map(([name, of]) => h("div", {}, h("dt", {}, name), h("dd", {}, of(stats)))),
      span && h("div", { class: "wide" }, h("dt", {}, "from, to"), h("dd", {}, span)),
    ),
    stale > 0 && note(`${amount(stale, "turn")} cannot be found by meaning yet: run memspan reembed.`),
  ];
}

const leftOut = () =>
  MEMORY.facts &&
  MEMORY.facts.left_out > 0 &&
  note(
    `${whole(MEMORY.facts.left_out)} turns or records are not in this file: they are quarantined, or older than the newest.`,
  );

function reminders(due, again) {
  if (!due.length) return null;
  const one = (each) =>
    h(
      "li",
      {},
      h("bdi", {}, toItem(each.id, {}, short(each.what, 160))),
      h("span", { class: "since" }, "since ", time(each.since, day(each.since))),
      MEMORY.writable &&
        acting("Done", async () => {
          await post(`${itemPath(each.id)}/archive`, { reason: "done" });
          say("Done: the reminder is archived.");
          again();
        }),
    );
  return h("section", { class: "due", "aria-label": "Due reminders" }, h("h2", {}, "Due"), h("ul", {}, due.map(one)));
}

function filters(asked, sessions) {
  const change = (event) => {
    const given = Object.fromEntries(new FormData(event.currentTarget));
    go("timeline", given);
  };
  const names = sessions.slice(-300).reverse();
  const fields = h(
    "form",
    { class: "filters", "aria-label": "Filter", on: { change, submit: (event) => event.preventDefault() } },
    field(
      "Session",
      h("input", {
        name: "session",
        list: "sessions",
        value: asked.get("session") || "",
        placeholder: "all",
        autocomplete: "off",
      }),
    ),
    h(
      "datalist",
      { id: "sessions" },
      names.map((name) => h("option", { value: name })),
    ),
    field(
      "Speaker",
      h("input", { name: "speaker", value: asked.get("speaker") || "", placeholder: "everybody", autocomplete: "off" }),
    ),
    field(
      "Kind",
      h(
        "select",
        { name: "kind" },
        [["", "turns"], ["records", "all records"], ...KINDS.map((kind) => [kind, kind])].map(([value, word]) =>
          h("option", { value, selected: value === (asked.get("kind") || "") }, word),
        ),
      ),
    ),
  );
  const given = ["session", "speaker", "kind"].some((name) => asked.get(name));
  return h("details", { class: "choices", open: given }, h("summary", {}, "Filter"), fields);
}

const ENOUGH = 25;
const FAR = 2000; // so many turns are looked through for a speaker at once
async function turnsOf({ session, speaker }, after) {
  const rows = [];
  const named = speaker.toLowerCase();
  let next = after,
    looked = 0;
  do {
    const got = await get("turns", { session, after: next, limit: speaker ? 200 : 50, newest: true });
    rows.push(...got.turns.filter((one) => !speaker || who(one).toLowerCase() === named));
    looked += got.turns.length;
    next = got.next;
  } while (speaker && next && rows.length < ENOUGH && looked < FAR);
  return { rows, next, told: speaker && next && `Looked through ${amount(looked, "turn")}.` };
}
async function recordsOf({ kind }, after) {
  const got = await get("records", { kind: kind === "records" ? "" : kind, after, limit: 50 });
  return { rows: got.records, next: got.next };
}

function byDay() {
  let here = null,
    session = null;
  return (one) => {
    const made = [];
    const today = longDay(one.at);
    if (today !== here) made.push(h("h2", { class: "day" }, time(one.at, today)));
    if (one.session && (one.session !== session || today !== here))
      made.push(
        h(
          "h3",
          { class: "session" },
          link("timeline", { session: one.session }, { title: "Only this session" }, h("bdi", {}, short(one.session))),
        ),
      );
    [here, session] = [today, one.session];
    return [...made, entry(one, { dated: false })];
  };
}

async function timeline(asked, still) {
  const given = Object.fromEntries(["session", "speaker", "kind"].map((name) => [name, asked.get(name) || ""]));
  const top = h("div", { class: "top" });
  const list = given.kind
    ? paged(
        (after) => recordsOf(given, after),
        (one) => entry(one),
        { nothing: "No record of this kind. Reflecting makes them from turns." },
      )
    : paged((after) => turnsOf(given, after), byDay(), {
        nothing:
          given.session || given.speaker
            ? "Nothing was said by that name."
            : "Nothing is remembered in this scope yet.",
      });
  await list.load();
  if (!still()) return;
  put(BOX, title("Timeline"), top, list.node);
  // asked for once the turns are there: they are what is waited for
  const [stats, due, sessions] = await Promise.all([get("stats"), get("due"), get("sessions")]);
  if (!still()) return;
  const again = () => render();
  put(top, glance(stats), leftOut(), reminders(due.due, again), filters(asked, sessions.sessions));
}
