// The header, what can be chosen, the matrix of sets and systems, the mean over families.
const STATE = {
  metric: "headline",
  kinds: new Set(KINDS.filter((kind) => kind !== "ablation" || SYSTEMS.length <= 14)),
  intervals: false,
  plot: "tokens",
  set: 0,
  hidden: new Set(),
};
const shownSystems = () => SYSTEMS.filter((one) => STATE.kinds.has(one.kind));

function header() {
  const { cpu, cores, memory_gb, system } = DATA.machine;
  const versions = Object.entries(DATA.versions)
    .filter(([, number]) => number)
    .map(([name, number]) => `${name} ${number}`);
  const facts = [
    ["Run", `${DATA.at.replace("T", " ").slice(0, 16)} UTC, took ${lasting(DATA.seconds)}`],
    ["Machine", `${cpu}, ${cores} cores, ${memory_gb} GB, ${system}`],
    ["Versions", versions.join(", ")],
    ["Intervals", `95 %, ${whole(DATA.resamples)} resamples of whole clusters, seed ${DATA.seed}`],
    [
      "Model",
      DATA.llm
        ? Object.entries(DATA.llm)
            .map(
              ([name, value]) =>
                `${name}: ${value !== null && typeof value === "object" ? JSON.stringify(value) : value}`,
            )
            .join("; ")
        : "none: no model read or judged anything",
    ],
    [
      "Split",
      DATA.split === "dev"
        ? "dev clusters only: nothing here is a test figure"
        : `all clusters; the test half was measured ${DATA.tests_before || 0} times before`,
    ],
    ["Sample", DATA.quick ? "quick: a stratified sample of the questions, no large case" : "every question"],
  ];
  const stopped = DATA.results.filter((row) => row.status !== "done");
  document.getElementById("top").append(
    h("h1", {}, "memspan bench: ", h("span", {}, `${SETS.length} sets × ${SYSTEMS.length} systems`)),
    h("pre", {}, h("code", {}, DATA.command)),
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    notes("Notices", DATA.notices || []),
    notes(
      "Absent",
      Object.entries(DATA.absent || {}).map(([name, why]) => [h("b", {}, name), `: ${why}`]),
    ),
    notes(
      "Not finished",
      stopped.map((row) => [h("b", {}, `${row.system} on ${row.set}`), `: ${unfinished(row)}`]),
    ),
    h(
      "nav",
      { "aria-label": "Sections" },
      [
        ["overview", "Overview"],
        ["compared", "Comparisons"],
        ["plots", "Plots"],
        ["sets", "Each set"],
        ["files", "Data files"],
      ].map(([id, word]) => h("a", { href: `#${id}` }, word)),
    ),
  );
}
// folded where they are many: the overview comes first
const notes = (title, lines) =>
  lines.length > 0 &&
  h(
    "details",
    { class: "note", open: lines.length <= 3 },
    h("summary", {}, `${title} (${lines.length})`),
    h(
      "ul",
      {},
      lines.map((line) => h("li", {}, line)),
    ),
  );

function choices(change) {
  const { first, rest } = metricsFound();
  const chip = (type, name, value, checked, act, label, title) =>
    h(
      "label",
      { class: "chip", title },
      h("input", { type, name, value, checked, on: { change: act } }),
      h("span", {}, label),
    );
  const metric = (name) =>
    chip("radio", "metric", name, name === STATE.metric, () => change({ metric: name }), name, WHAT[name]);
  const kind = (name) =>
    chip(
      "checkbox",
      "kind",
      name,
      STATE.kinds.has(name),
      (event) => {
        STATE.kinds[event.target.checked ? "add" : "delete"](name);
        change({});
      },
      KIND_WORDS[name],
    );
  return h(
    "form",
    { class: "choices", on: { submit: (event) => event.preventDefault() } },
    h(
      "fieldset",
      {},
      h("legend", {}, "Figure"),
      ["headline", ...first].map(metric),
      rest.length > 0 && h("details", { class: "more" }, h("summary", {}, "more"), h("div", {}, rest.map(metric))),
    ),
    h("fieldset", {}, h("legend", {}, "Systems"), KINDS.map(kind)),
    h(
      "fieldset",
      {},
      h("legend", {}, "Cells"),
      chip(
        "checkbox",
        "intervals",
        "on",
        false,
        (event) => change({ intervals: event.target.checked }),
        "show intervals",
      ),
    ),
  );
}

// controls are no systems, and what saw only some of the cases does not compare
const ranked = (set, system) => system.kind !== "control" && (rowOf(set, system) || {}).status === "done";

function bestOf(set, systems) {
  const figure = figureOf(set, STATE.metric);
  const means = systems
    .filter((one) => ranked(set, one))
    .map((one) => cellOf(set, one, STATE.metric))
    .filter(Boolean)
    .map((one) => one.mean);
  if (!means.length || /^EM (oracle|nothing)$/.test(figure)) return null;
  return lowIsGood(figure) ? Math.min(...means) : Math.max(...means);
}

function matrixCell(set, system, best) {
  const mean = cellOf(set, system, STATE.metric),
    row = rowOf(set, system);
  const stop = unfinished(row),
    figure = figureOf(set, STATE.metric);
  if (!mean) {
    const word = !row ? "–" : row.status === "done" ? "·" : row.status;
    const why = row && row.status === "done" ? `${figure} is not measured on this set` : stop;
    return {
      kids: [h("span", { class: "absent" }, word)],
      tabindex: "-1",
      "data-status": row ? row.status : "none",
      on: telling(() => [`${set.set}, ${system.name}`, why]),
    };
  }
  const top = best !== null && ranked(set, system) && mean.mean.toFixed(3) === best.toFixed(3);
  return {
    class: `heat${top ? " best" : ""}`,
    tabindex: "-1",
    "data-status": row.status,
    vars: { "--v": Math.min(1, Math.max(0, lowIsGood(figure) ? 1 - mean.mean : mean.mean)) },
    kids: [
      h(top ? "b" : "span", {}, share(mean.mean), top && h("span", { class: "unseen" }, " best")),
      STATE.intervals && h("small", {}, none(mean.low) ? "one cluster" : `${share(mean.low)}–${share(mean.high)}`),
      row.status !== "done" && h("small", { class: "stop" }, `${row.status} ${row.cases}/${row.of_cases}`),
    ],
    on: telling(() => [
      `${set.set}, ${system.name}`,
      `${figure} ${share(mean.mean)}; ${none(mean.low) ? "no interval: one cluster" : `95 % interval ${range(mean)}`}`,
      `${whole(row.questions)} questions in ${whole(row.clusters)} cluster${row.clusters === 1 ? "" : "s"}`,
      stop,
    ]),
  };
}

function matrix() {
  const systems = shownSystems();
  const best = new Map(SETS.map((set) => [set, bestOf(set, systems)]));
  const noisy = (set) => informational(SIGNAL.get(key(set.set, figureOf(set, STATE.metric))));
  const columns = [
    {
      label: "set",
      text: true,
      get: (set) => set.set,
      cell: (set) => ({
        kids: [
          h("a", { href: `#set-${SETS.indexOf(set)}` }, set.set),
          noisy(set) &&
            h(
              "span",
              { class: "tag", title: "signal-to-noise ratio under 3: no base for a decision" },
              "informational",
            ),
        ],
      }),
    },
    { label: "figure", text: true, get: (set) => figureOf(set, STATE.metric) },
    ...systems.map((system) => ({
      label: system.name,
      title: system.title,
      get: (set) => (cellOf(set, system, STATE.metric) || { mean: null }).mean,
      cell: (set) => matrixCell(set, system, best.get(set)),
    })),
  ];
  const bands = [
    { label: "", span: 2 },
    ...KINDS.filter((kind) => STATE.kinds.has(kind)).map((kind) => ({
      label: KIND_WORDS[kind],
      span: systems.filter((one) => one.kind === kind).length,
    })),
  ];
  const groups = [
    { title: "Labelled data", rows: SETS.filter((one) => !one.made) },
    { title: "Made sets (-syn): ours, not the benchmarks they are named after", rows: SETS.filter((one) => one.made) },
  ];
  const box = sortable("matrix", {
    caption: `Sets by systems: ${STATE.metric}`,
    columns,
    bands,
    classes: "matrix",
    groups: groups.filter((one) => one.rows.length),
  });
  walkable(box.querySelector("table"));
  return box;
}

// mean over families: of those that did all, and of all that came to some of each, on the questions they share
function families() {
  const common = DATA.common || [];
  return [
    meanTable("families", DATA.macro || [], "Mean over families", "Each family weighs the same. Only systems that did every set."),
    meanTable(
      "shared",
      common,
      "The same on shared questions",
      common.length ? `The ${common[0].questions.toLocaleString("en")} questions that all of these systems came to.` : "",
    ),
  ];
}

// one line a system, a dot and its interval
function meanTable(id, entries, title, said) {
  const named = (name) => SYSTEMS.find((one) => one.name === name);
  const count = (one) => (Array.isArray(one.families) ? one.families.length : one.families);
  const metric = STATE.metric === "T1000" ? "T1000" : "headline";
  const rows = entries
    .filter((one) => count(one) && one[metric] && named(one.system) && STATE.kinds.has(named(one.system).kind))
    .sort((a, b) => count(b) - count(a) || b[metric].mean - a[metric].mean);
  if (!rows.length) return null;
  const most = Math.max(...rows.map(count));
  const columns = [
    { label: "system", text: true, get: (one) => one.system, cell: (one) => [swatch(one.system), " ", one.system] },
    { label: "mean", get: (one) => one[metric].mean, cell: (one) => share(one[metric].mean) },
    { label: "95 % interval", get: (one) => one[metric].low, cell: (one) => range(one[metric]) },
    {
      label: "0 to 1",
      get: (one) => one[metric].mean,
      cell: (one) => ({ class: "bar", kids: [interval(one[metric], [0, 1], colour(one.system), 340)] }),
    },
    {
      label: "families",
      get: count,
      cell: (one) => ({ class: count(one) < most ? "stop" : "", kids: [`${count(one)} of ${one.of}`] }),
    },
  ];
  return h(
    "div",
    {},
    h("h3", {}, `${title}: ${metric}`),
    h("p", { class: "lead" }, said),
    sortable(id, { caption: `${title}: ${metric}`, columns, groups: [{ rows }] }),
  );
}
