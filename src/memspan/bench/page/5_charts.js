// One chart as SVG: scales, axes, lines or marks with their intervals, labels that stay clear of each other.
const colour = (name) => `var(--${(LOOKS[name] || { colour: "mist" }).colour})`;

function mark(name, x, y, r) {
  const shape = (LOOKS[name] || {}).mark,
    tone = { fill: colour(name), stroke: colour(name) };
  const path = (d, open) =>
    s("path", { d, class: open ? "mark open" : "mark", vars: open ? { stroke: tone.stroke } : tone });
  if (shape === "square") return path(`M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`);
  if (shape === "triangle") return path(`M${x} ${y - 1.2 * r}l${1.2 * r} ${2.1 * r}h${-2.4 * r}z`);
  if (shape === "down") return path(`M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.1 * r}h${-2.4 * r}z`);
  if (shape === "diamond")
    return path(`M${x} ${y - 1.35 * r}l${1.35 * r} ${1.35 * r}l${-1.35 * r} ${1.35 * r}l${-1.35 * r} ${-1.35 * r}z`);
  if (shape === "cross") return path(`M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`, true);
  if (shape === "plus") return path(`M${x - 1.2 * r} ${y}h${2.4 * r}M${x} ${y - 1.2 * r}v${2.4 * r}`, true);
  return s("circle", { cx: x, cy: y, r, class: "mark", vars: tone });
}
function swatch(name) {
  const dash = (LOOKS[name] || {}).dash;
  return s(
    "svg",
    { width: 26, height: 12, class: "swatch", "aria-hidden": "true" },
    s("line", {
      x1: 1,
      x2: 25,
      y1: 6,
      y2: 6,
      "stroke-dasharray": dash || undefined,
      class: "series",
      vars: { stroke: colour(name) },
    }),
    mark(name, 13, 6, 3.2),
  );
}

const PLOTS = {
  tokens: {
    title: "Gold in the context, by its size",
    bars: true,
    x: "context [tokens]",
    y: () => "share of the gold",
    lines: true,
    points: (set, system) => BUDGETS.map((name) => at(Number(name.slice(1)), cellOf(set, system, name))),
  },
  latency: {
    title: "Figure against read time",
    own: true,
    bars: true,
    x: "read time, median [ms]",
    y: (set) => figureOf(set, STATE.metric),
    points: (set, system) => [at(costOf(set, system, "read_ms_p50"), cellOf(set, system, STATE.metric))],
  },
  bytes: {
    title: "Figure against bytes on disk",
    own: true,
    bars: true,
    x: "on disk [bytes]",
    y: (set) => figureOf(set, STATE.metric),
    unit: bytes,
    points: (set, system) => [at(costOf(set, system, "bytes_on_disk"), cellOf(set, system, STATE.metric))],
  },
  ladder: {
    title: "Figure as the memory grows",
    own: true,
    bars: true,
    x: "units in memory",
    y: (set) => figureOf(set, STATE.metric),
    lines: true,
    points: (set, system) =>
      rungs(set, system).map(([rung, one]) => at(rung, meanOf(one.metrics, figureOf(set, STATE.metric)))),
  },
  "ladder-read": {
    title: "Read time as the memory grows",
    x: "units in memory",
    y: () => "read time, median [ms]",
    lines: true,
    tall: true,
    points: (set, system) =>
      rungs(set, system).map(([rung, one]) =>
        at(rung, none(one.read_ms_p50) ? null : { mean: one.read_ms_p50, low: null, high: null }),
      ),
  },
};
const at = (x, mean) => (!mean || !(x > 0) ? null : { x, y: mean.mean, low: mean.low, high: mean.high });
const costOf = (set, system, name) => ((rowOf(set, system) || {}).cost || {})[name];
const rungs = (set, system) =>
  Object.entries((rowOf(set, system) || {}).by_rung || {})
    .map(([rung, one]) => [Number(rung), one])
    .sort((a, b) => a[0] - b[0]);

function seriesOf(plot, set, systems) {
  return systems
    .map((system) => ({ system, points: PLOTS[plot].points(set, system).filter((one) => one && !none(one.y)) }))
    .filter((one) => one.points.length);
}

// logarithmic unless it is a share; ticks at the powers of ten, or at the values themselves where these are few
function logged(values, pixels, few) {
  const spread = [Math.min(...values), Math.max(...values)];
  let [low, high] = spread.map(Math.log10);
  if (high - low < 0.3) [low, high] = [low - 0.2, high + 0.2];
  const pad = (high - low) * 0.05,
    scale = (value) => pixels[0] + ((Math.log10(value) - low + pad) / (high - low + 2 * pad)) * (pixels[1] - pixels[0]);
  const own = [...new Set(values)].sort((a, b) => a - b);
  if (few && own.length <= 6) return { scale, ticks: own };
  const powers = [];
  for (let n = Math.ceil(low - pad); n <= high + pad; n += 1) powers.push(10 ** n);
  const halves =
    powers.length < 3
      ? [2, 5].flatMap((step) => [...powers, 10 ** (Math.ceil(low - pad) - 1)].map((one) => one * step))
      : [];
  const room = Math.max(2, Math.floor(Math.abs(pixels[1] - pixels[0]) / 44));
  const ticks = [...powers, ...halves]
    .filter((one) => Math.log10(one) >= low - pad && Math.log10(one) <= high + pad)
    .sort((a, b) => a - b);
  return { scale, ticks: ticks.filter((_, n) => n % Math.ceil(ticks.length / room) === 0) };
}
const brief = (value) =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : Number(value.toPrecision(2)).toString();

// labels pushed apart along one axis, as near to their places as they can be: those that touch share a block
function apart(places, gap, from, to) {
  const order = places.map((_, n) => n).sort((a, b) => places[a] - places[b]);
  const blocks = [];
  for (const n of order) {
    let block = { members: [n], centre: places[n] };
    for (
      let last = blocks[blocks.length - 1];
      last && block.centre - last.centre < ((block.members.length + last.members.length) / 2) * gap;
      last = blocks[blocks.length - 1]
    ) {
      blocks.pop();
      const members = [...last.members, ...block.members];
      const half = ((members.length - 1) / 2) * gap,
        centre = members.reduce((sum, one) => sum + places[one], 0) / members.length;
      block = { members, centre: Math.max(from + half, Math.min(to - half, centre)) };
    }
    blocks.push(block);
  }
  const found = [];
  for (const { members, centre } of blocks)
    members.forEach((one, n) => {
      found[one] = centre + (n - (members.length - 1) / 2) * gap;
    });
  return found;
}

// a series in words, for who cannot see it
function told({ system, points }, kind) {
  const figures = points.map((one) => `${brief(one.x)}: ${kind.tall ? size(one.y) : share(one.y)}`);
  return `${system.name} ${figures.join(", ")}`;
}

function chart(plot, set, { wide, high, large, domain }) {
  const kind = PLOTS[plot],
    series = seriesOf(
      plot,
      set,
      shownSystems().filter((one) => !STATE.hidden.has(one.name)),
    );
  const labelled = large && wide > 560;
  const box = large
    ? { left: 48, right: wide - (labelled ? 130 : 12), top: 12, bottom: high - 40 }
    : { left: 26, right: wide - 6, top: 6, bottom: high - 18 };
  const points = series.flatMap((one) => one.points);
  const x = logged(domain ? domain.x : points.map((one) => one.x), [box.left, box.right], kind.lines);
  const y = kind.tall
    ? logged(domain ? domain.y : points.map((one) => one.y), [box.bottom, box.top], false)
    : {
        scale: (value) => box.bottom - value * (box.bottom - box.top),
        ticks: large ? [0, 0.2, 0.4, 0.6, 0.8, 1] : [0, 0.5, 1],
      };
  // points stand a little apart, so that intervals do not hide each other
  const shift = (n) => (kind.lines ? (n - (series.length - 1) / 2) * (large ? 1.6 : 0.5) : 0);
  const drawn = series.map((one, n) => line(one, x.scale, y.scale, shift(n), kind, large));
  const axes = [
    y.ticks.map((tick) => [
      s("line", { x1: box.left, x2: box.right, y1: y.scale(tick), y2: y.scale(tick), class: "gridline" }),
      s(
        "text",
        { x: box.left - 5, y: y.scale(tick) + 3.5, class: "tick end" },
        kind.tall ? brief(tick) : share(tick).replace(/0+$/, "").replace(/\.$/, "") || "0",
      ),
    ]),
    x.ticks.map((tick, n) => [
      s("line", { x1: x.scale(tick), x2: x.scale(tick), y1: box.bottom, y2: box.bottom + 4, class: "axis" }),
      (large || n === 0 || n === x.ticks.length - 1) &&
        s(
          "text",
          { x: x.scale(tick), y: box.bottom + 15, class: `tick ${!large && n ? "end" : large ? "mid" : ""}` },
          kind.unit ? bytes(tick) : brief(tick),
        ),
    ]),
    s("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis" }),
    large && s("text", { x: (box.left + box.right) / 2, y: high - 6, class: "title mid" }, `${kind.x}, logarithmic`),
    large &&
      s(
        "text",
        { transform: `translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)`, class: "title mid" },
        kind.y(set),
      ),
  ];
  const labels = labelled && (kind.lines ? endLabels : besideLabels)(series, x.scale, y.scale, box);
  return s(
    "svg",
    {
      viewBox: `0 0 ${wide} ${high}`,
      width: wide,
      height: high,
      role: "img",
      class: large ? "chart large" : "chart",
      "aria-label": `${kind.title}, ${set.set}: ${series.map((one) => told(one, kind)).join("; ")}`,
    },
    axes,
    !series.length && s("text", { x: wide / 2, y: high / 2, class: "tick mid" }, "nothing measured"),
    drawn,
    labels,
  );
}

function line({ system, points }, x, y, shift, kind, large) {
  const ours = system.kind === "memspan",
    r = large ? 4 : kind.lines ? 1.8 : 3;
  const place = (one) => [x(one.x) + shift, y(one.y)];
  const reached = (one) => (none(one.low) ? "" : ` (${range(one)})`);
  const figure = (one) => (kind.tall ? `${size(one.y)} ms` : share(one.y) + reached(one));
  const words = (one) => `${system.name}: ${figure(one)} at ${kind.unit ? bytes(one.x) : size(one.x)}`;
  return s(
    "g",
    { class: `one${ours ? " ours" : ""}`, "data-system": system.name },
    points
      .filter((one) => !none(one.low) && (large || !kind.lines || ours))
      .map((one) =>
        s("line", {
          x1: place(one)[0],
          x2: place(one)[0],
          y1: y(one.low),
          y2: y(one.high),
          class: "reach",
          vars: { stroke: colour(system.name) },
        }),
      ),
    kind.lines &&
      points.length > 1 &&
      s("polyline", {
        points: points.map((one) => place(one).join(",")).join(" "),
        class: "series",
        "stroke-dasharray": (LOOKS[system.name] || {}).dash || undefined,
        vars: { stroke: colour(system.name) },
      }),
    points.map((one) => {
      const node = mark(system.name, ...place(one), r);
      if (large) node.append(s("title", {}, words(one)));
      return node;
    }),
  );
}

function endLabels(series, x, y, box) {
  const ends = series.map((one) => one.points[one.points.length - 1]);
  const places = apart(
    ends.map((one) => y(one.y)),
    13,
    box.top + 4,
    box.bottom,
  );
  return series.map((one, n) =>
    s(
      "g",
      { class: "one label", "data-system": one.system.name },
      s("line", { x1: x(ends[n].x) + 6, y1: y(ends[n].y), x2: box.right + 12, y2: places[n], class: "lead-line" }),
      s(
        "text",
        { x: box.right + 14, y: places[n] + 4, class: "name", vars: { fill: colour(one.system.name) } },
        one.system.name,
      ),
    ),
  );
}

function besideLabels(series, x, y, box) {
  const taken = series.map(({ points: [one] }) => [x(one.x) - 5, y(one.y) - 5, x(one.x) + 5, y(one.y) + 5]);
  const clear = (a) =>
    a[1] >= box.top - 6 &&
    a[3] <= box.bottom + 4 &&
    a[0] >= box.left &&
    taken.every((b) => a[2] <= b[0] || a[0] >= b[2] || a[3] <= b[1] || a[1] >= b[3]);
  return series.map(({ system, points: [one] }) => {
    const wide = system.name.length * 6.6 + 4,
      cx = x(one.x),
      cy = y(one.y);
    const tries = [
      [7, 0],
      [-wide - 7, 0],
      [7, -13],
      [7, 13],
      [-wide - 7, -13],
      [-wide - 7, 13],
      [-wide / 2, -17],
      [-wide / 2, 17],
      [9, -26],
      [9, 26],
      [9, -39],
      [9, 39],
    ];
    const [dx, dy] = tries.find(([dx, dy]) => clear([cx + dx, cy + dy - 6, cx + dx + wide, cy + dy + 6])) || tries[0];
    taken.push([cx + dx, cy + dy - 6, cx + dx + wide, cy + dy + 6]);
    return s(
      "g",
      { class: "one label", "data-system": system.name },
      Math.abs(dy) > 13 && s("line", { x1: cx, y1: cy, x2: cx + dx, y2: cy + dy, class: "lead-line" }),
      s("text", { x: cx + dx, y: cy + dy + 4, class: "name", vars: { fill: colour(system.name) } }, system.name),
    );
  });
}
