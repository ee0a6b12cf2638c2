// A question, what memory has on it, how sure it is, and why each hit came.
const CHOICES = {
  tokens: ["Budget", "1000", { type: "number", min: 50, max: 20000, step: 50 }, "tokens of evidence"],
  as_of: ["As of", "", { type: "date" }, "what held on that day"],
  known_at: ["Known at", "", { type: "date" }, "what memory knew that day"],
};
const SOUGHT = {
  "": "the usual: turns, records given",
  turn: "turns alone",
  "episode,entity": "episodes and entities",
  "fact,preference,instruction": "facts, preferences, instructions",
};

function asking(asked) {
  const question = h("input", {
    type: "search",
    name: "q",
    value: asked.get("q") || "",
    placeholder: "Where does Maya live now?",
    "aria-label": "Question",
    autocomplete: "off",
    maxlength: 20000,
  });
  const changed = ["tokens", "as_of", "known_at", "kinds", "history", "quality"].some((name) => asked.get(name));
  const choice = ([name, [label, , attributes, hint]]) =>
    field(label, h("input", { name, ...attributes, value: asked.get(name) || CHOICES[name][1] }), hint);
  const tick = (name, value, label) =>
    h(
      "label",
      { class: "tick" },
      h("input", { type: "checkbox", name, value, checked: Boolean(asked.get(name)) }),
      h("span", {}, label),
    );
  const submit = (data) => {
    const given = Object.fromEntries(
      [...data].filter(([name, value]) => value && !(name === "tokens" && value === "1000")),
    );
    go("search", given);
  };
  return form(
    submit,
    h(
      "div",
      { class: "ask", role: "search" },
      question,
      h("button", { class: "primary" }, MEMORY.facts ? "Search" : "Recall"),
    ),
    MEMORY.facts
      ? note(
          "This page is a file, so it searches by plain words: the hits share words with the question, the rarest count most. Recall’s own ranking, its reasons and its confidence need the server (memspan serve).",
        )
      : h(
          "details",
          { class: "choices", open: changed },
          h("summary", {}, "More choices"),
          h(
            "div",
            { class: "fields" },
            Object.entries(CHOICES).map(choice),
            field(
              "Among",
              h(
                "select",
                { name: "kinds" },
                Object.entries(SOUGHT).map(([value, word]) =>
                  h("option", { value, selected: value === (asked.get("kinds") || "") }, word),
                ),
              ),
            ),
            tick("history", "yes", "Rank what no longer holds as if it did"),
            tick("quality", "high", "Read the best again with MiniLM (slower, needs the extra onnx)"),
          ),
        ),
  );
}

async function search(asked, still) {
  const answer = h("div", { class: "answer" }),
    heard = h("p", { class: "unseen", role: "status" });
  put(BOX, title("Search"), asking(asked), heard, answer);
  const question = asked.get("q");
  if (!question) {
    BOX.querySelector("input[name=q]").focus();
    return;
  }
  answer.replaceChildren(empty("Recalling …"));
  const got = asked.get("kinds");
  const found = await post("recall", {
    question,
    tokens: Number(asked.get("tokens")) || 1000,
    as_of: asked.get("as_of") || null,
    known_at: asked.get("known_at") || null,
    kinds: got ? got.split(",") : null,
    history: Boolean(asked.get("history")),
    quality: asked.get("quality") || "fast",
    explain: true,
  });
  if (!still()) return;
  if (!found.hits.length && !found.standing.length) return answer.replaceChildren(empty("Nothing was found."));
  const widest = Math.max(0.01, ...found.hits.flatMap((one) => (one.why || []).map((arm) => Math.abs(arm.added))));
  heard.textContent = `${amount(found.hits.length, "hit")}${found.plain ? "" : `. ${sureness(found.confidence)[0]}`}.`;
  put(
    answer,
    !found.plain && surely(found),
    found.standing.length > 0 && standing(found.standing),
    hitList(found.hits, widest),
  );
}

const AT_FIRST = 10; // the confidence speaks of ten, and few read on
function hitList(hits, widest) {
  const line = (one) => h("li", {}, hit(one, widest));
  const list = h("ol", { class: "hits" }, hits.slice(0, AT_FIRST).map(line));
  const rest = hits.slice(AT_FIRST);
  if (!rest.length) return list;
  const more = button(`Show ${rest.length} more`, () => {
    const made = rest.map(line);
    list.append(...made);
    more.remove();
    made[0].querySelector("a").focus();
  });
  return [list, h("div", { class: "foot" }, more)];
}

function surely(found) {
  const [words, tone] = sureness(found.confidence);
  return h(
    "section",
    { class: "surely", "aria-label": "Confidence" },
    h(
      "div",
      {},
      h("strong", { class: tone }, words),
      h("span", { class: "gauge", "aria-hidden": "true" }, h("i", { vars: { width: `${100 * found.confidence}%` } })),
      h(
        "span",
        { class: "figure", "aria-label": `Confidence ${found.confidence.toFixed(2)}` },
        found.confidence.toFixed(2),
      ),
    ),
    h("p", {}, oftenness(found.confidence)),
    h(
      "p",
      { class: "quiet-words" },
      `${amount(found.hits.length, "hit")} within ${amount(found.cost.tokens, "token")}, in ${lasting(found.cost.seconds)}.`,
    ),
  );
}
const standing = (hits) =>
  h(
    "section",
    { class: "standing", "aria-label": "Always applies" },
    h("h2", {}, "Always applies"),
    h(
      "ul",
      {},
      hits.map((one) => h("li", {}, h("bdi", {}, toItem(one.id, {}, short(one.text, 300))))),
    ),
  );

function hit(one, widest) {
  const doubts = [
    one.status === "superseded" && ["superseded", one.heir ? [" by ", toItem(one.heir, {}, "what holds now")] : null],
    one.contradicts &&
      one.contradicts.length > 0 && [
        "contradicts",
        [" by ", one.contradicts.map((id, n) => [n ? ", " : "", toItem(id, {}, "another hit")])],
      ],
    one.suspect && ["suspect", null],
  ].filter(Boolean);
  return [
    entry({ ...one, state: {}, suspect: false }),
    h(
      "div",
      { class: "tags" },
      doubts.map(([kind, more]) => [tag(kind), more && h("span", { class: "quiet-words" }, more)]),
      one.until && one.status !== "superseded" && h("span", { class: "tag" }, `until ${day(one.until)}`),
      one.until && one.status === "superseded" && h("span", { class: "quiet-words" }, `held until ${day(one.until)}`),
      trusted(one.trust),
      one.session &&
        h(
          "span",
          { class: "quiet-words" },
          "in ",
          link("timeline", { session: one.session }, {}, h("bdi", {}, short(one.session, 50))),
        ),
      one.kind !== "turn" && sourcesOf(one),
    ),
    one.held
      ? h(
          "p",
          { class: "quiet-words" },
          "Shares: ",
          one.held.map((word, n) => [n ? ", " : "", h("b", {}, visible(word))]),
        )
      : why(one, widest),
  ];
}
const sourcesOf = (one) =>
  h(
    "span",
    { class: "quiet-words" },
    "from ",
    one.sources.slice(0, 5).map((id, n) => [n ? ", " : "", toItem(id, {}, `source ${n + 1}`)]),
    one.sources.length > 5 && ` and ${one.sources.length - 5} more`,
  );

function why(one, widest) {
  const arms = [...(one.why || [])].sort((a, b) => Math.abs(b.added) - Math.abs(a.added));
  const row = (arm) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", title: arm.arm }, ARMS[arm.arm] || visible(arm.arm)),
      h("td", { class: "num" }, `#${arm.rank}`),
      h("td", { class: "num raw" }, arm.score.toFixed(2)),
      h(
        "td",
        { class: "added" },
        h("span", { class: "num" }, signed(arm.added)),
        h("i", {
          class: arm.added < 0 ? "bar less" : "bar",
          vars: { width: `${(60 * Math.abs(arm.added)) / widest}%` },
        }),
      ),
    );
  return h(
    "details",
    { class: "why" },
    h(
      "summary",
      {},
      `Why it came: score ${one.score.toFixed(2)}`,
      h(
        "span",
        { class: "parts", "aria-hidden": "true" },
        arms
          .filter((arm) => arm.added > 0)
          .map((arm) =>
            h("i", {
              title: `${ARMS[arm.arm] || arm.arm} ${signed(arm.added)}`,
              vars: { width: `${(4 * arm.added) / widest}rem` },
            }),
          ),
      ),
    ),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Reason", "Rank", "Raw", "Added"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, arms.map(row)),
    ),
  );
}
