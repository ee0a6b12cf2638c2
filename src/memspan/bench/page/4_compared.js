// Ours against every other: a tally, then every pair with its interval drawn.
const PAIRS = DATA.compared || [];
const PICK = { ours: "", metric: "headline", other: "", verdict: "" };

const isHeadline = (pair) => pair.metric === "headline" || pair.metric === (setNamed(pair.set) || {}).headline;
const wanted = (pair, pick) =>
  (!pick.ours || pair.ours === pick.ours) &&
  (!pick.other || pair.other === pick.other) &&
  (pick.metric === "headline" ? isHeadline(pair) : pair.metric === pick.metric) &&
  (!pick.verdict || verdict(pair) === pick.verdict);

function compared() {
  const section = h("section", { id: "compared" }, h("h2", {}, "Comparisons"));
  if (!PAIRS.length) return fill(section, {}, [h("p", {}, "Nothing was compared in this run.")]);
  const some = (name) => [...new Set(PAIRS.map((pair) => pair[name]))];
  PICK.ours = some("ours")[0];
  const tally = h("div"),
    pairs = h("div");
  const draw = () => {
    tally.replaceChildren(tallied(pick));
    pairs.replaceChildren(...paired());
  };
  const pick = (change) => {
    Object.assign(PICK, change);
    for (const one of selects) one.value = PICK[one.name];
    draw();
  };
  const select = (name, label, values) =>
    h(
      "label",
      {},
      label,
      " ",
      h(
        "select",
        { name, on: { change: (event) => pick({ [name]: event.target.value }) } },
        values.map(([value, word]) => h("option", { value, selected: PICK[name] === value }, word)),
      ),
    );
  const form = h(
    "form",
    { class: "choices", on: { submit: (event) => event.preventDefault() } },
    select(
      "ours",
      "Ours",
      some("ours").map((name) => [name, name]),
    ),
    select("metric", "Figure", [
      ["headline", "headline of the set"],
      ...some("metric")
        .filter((name) => name !== "headline")
        .map((name) => [name, name]),
    ]),
    select("other", "Against", [["", "all"], ...some("other").map((name) => [name, name])]),
    select("verdict", "Verdict", [["", "all"], ...WORDS.map((word) => [word, word])]),
  );
  const selects = [...form.querySelectorAll("select")];
  draw();
  return fill(section, {}, [
    h(
      "p",
      { class: "lead" },
      "Paired on the same questions. A difference counts as shown where p, adjusted for all planned comparisons " +
        "(Holm), is under .05; no difference shown is not the same as equal: see the smallest difference this many " +
        "clusters could have shown. Not testable: of so few clusters that even all pointing one way would not pass " +
        "that adjustment; the interval stands.",
    ),
    form,
    tally,
    pairs,
  ]);
}

function tallied(pick) {
  const others = [
    ...new Set(PAIRS.filter((pair) => wanted(pair, { ...PICK, other: "", verdict: "" })).map((pair) => pair.other)),
  ];
  const rows = others.map((other) => {
    const words = PAIRS.filter((pair) => wanted(pair, { ...PICK, other, verdict: "" })).map(verdict);
    return { other, count: (word) => words.filter((one) => one === word).length, of: words.length };
  });
  const cell = (word, tone) => (row) => ({ class: row.count(word) ? tone : "absent", kids: [String(row.count(word))] });
  const columns = [
    {
      label: `${PICK.ours} against`,
      text: true,
      get: (row) => row.other,
      cell: (row) => [
        swatch(row.other),
        " ",
        h(
          "button",
          {
            type: "button",
            class: "link",
            on: { click: () => pick({ other: PICK.other === row.other ? "" : row.other }) },
          },
          row.other,
        ),
      ],
    },
    ...WORDS.map((word) => ({ label: word, get: (row) => row.count(word), cell: cell(word, toneOf(word)) })),
    { label: "sets", get: (row) => row.of },
    {
      label: "share of the sets",
      get: (row) => row.count("better") - row.count("worse"),
      cell: (row) => ({ class: "bar", kids: [shares(row)] }),
    },
  ];
  return sortable("tally", {
    caption: `${PICK.ours} against each other system: in how many sets`,
    columns,
    groups: [{ rows }],
  });
}

function shares(row) {
  const wide = 180;
  let left = 0;
  return s(
    "svg",
    { width: wide, height: 12, "aria-hidden": "true" },
    [
      ["better", "good"],
      ["no difference shown", "same"],
      ["not testable", "same"],
      ["worse", "bad"],
    ].map(([word, tone]) => {
      const part = (row.count(word) / row.of) * wide,
        from = left;
      left += part;
      return s("rect", { x: from, y: 1, width: Math.max(0, part - 1), height: 10, class: `fill-${tone}` });
    }),
  );
}

function paired() {
  const rows = PAIRS.filter((pair) => wanted(pair, PICK));
  const reach = Math.max(
    0.01,
    ...rows.flatMap((pair) => [pair.difference, pair.low, pair.high].filter((one) => !none(one)).map(Math.abs)),
  );
  const columns = [
    { label: "set", text: true, get: (pair) => pair.set },
    {
      label: "figure",
      text: true,
      get: (pair) => (pair.metric === "headline" ? setNamed(pair.set).headline : pair.metric),
    },
    { label: "against", text: true, get: (pair) => pair.other, cell: (pair) => [swatch(pair.other), " ", pair.other] },
    {
      label: "verdict",
      text: true,
      get: (pair) => WORDS.indexOf(verdict(pair)),
      cell: (pair) => ({ class: `verdict ${toneOf(verdict(pair))}`, kids: [verdict(pair)] }),
    },
    { label: "difference, points", get: (pair) => pair.difference, cell: (pair) => signed(pair.difference) },
    {
      label: "95 % interval",
      get: (pair) => pair.low,
      cell: (pair) => ({
        kids: [
          none(pair.low) ? "–" : `${signed(pair.low)} to ${signed(pair.high)}`,
          !none(pair.t_low) &&
            h(
              "small",
              { title: "t-interval on cluster means: fewer than ten clusters" },
              `t: ${signed(pair.t_low)} to ${signed(pair.t_high)}`,
            ),
        ],
      }),
    },
    {
      label: `−${(reach * 100).toFixed(0)} … 0 … +${(reach * 100).toFixed(0)} points`,
      get: (pair) => pair.difference,
      cell: (pair) => ({
        class: "bar",
        kids: [
          interval(
            { mean: pair.difference, low: pair.low, high: pair.high },
            [-reach, reach],
            `var(--${toneOf(verdict(pair)) || "same"})`,
          ),
        ],
      }),
    },
    { label: "p", get: (pair) => pair.p, cell: (pair) => chance(pair.p) },
    { label: "p (Holm)", get: (pair) => pair.p_holm, cell: (pair) => chance(pair.p_holm) },
    {
      label: "could show, points",
      title: "minimum detectable difference at this many clusters",
      get: (pair) => pair.mdd,
      cell: (pair) => (none(pair.mdd) ? "–" : (pair.mdd * 100).toFixed(1)),
    },
    {
      label: "questions / clusters",
      get: (pair) => pair.questions,
      cell: (pair) => `${whole(pair.questions)} / ${whole(pair.clusters)}`,
    },
  ];
  const title = `${PICK.ours} minus ${PICK.other || "each other system"}, ${PICK.metric}: ${rows.length} pairs`;
  return [
    h("h3", {}, title),
    rows.length
      ? sortable("pairs", { caption: title, columns, groups: [{ rows }], classes: "tall" })
      : h("p", {}, "No pair fits."),
  ];
}

// a dot with its interval on a common scale
function interval(mean, [from, to], tone, wide = 180) {
  const x = (value) => 4 + ((Math.min(Math.max(value, from), to) - from) / (to - from)) * (wide - 8);
  return s(
    "svg",
    { width: wide, height: 14, "aria-hidden": "true", class: "interval" },
    s("line", { x1: x(Math.max(from, 0)), x2: x(Math.max(from, 0)), y1: 0, y2: 14, class: "zero" }),
    s("line", { x1: x(from), x2: x(to), y1: 7, y2: 7, class: "rail" }),
    !none(mean.low) &&
      s("line", { x1: x(mean.low), x2: x(mean.high), y1: 7, y2: 7, class: "reach", vars: { stroke: tone } }),
    s("circle", { cx: x(mean.mean), cy: 7, r: 3.2, vars: { fill: tone } }),
  );
}
