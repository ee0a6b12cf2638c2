// Names and what links them: the strongest few, laid out by forces, with the same in a list beside it.
const MOST = 48;
const HIERARCHY = "next,parent,mentions"; // the order of days, and what the names' own turns say already

async function network() {
  const [{ records }, { links }] = await Promise.all([
    get("records", { kind: "entity", limit: 200 }),
    get("links", { without: HIERARCHY, limit: 500 }),
  ]);
  const nodes = new Map(
    records.map((one) => [one.id, { id: one.id, name: nameOf(one), turns: one.sources.length, kind: "entity" }]),
  );
  const edges = together(records);
  for (const { source, target, kind, weight } of links) {
    for (const id of [source, target]) if (!nodes.has(id)) nodes.set(id, { id, name: "", turns: 1, kind: "" });
    edges.push({ source, target, kind, weight: 2 + weight });
  }
  return strongest(nodes, edges);
}
const nameOf = (one) => short((one.entities && one.entities[0]) || one.text, 28);

// two names stand together where turns are about both
function together(records) {
  const by = new Map();
  for (const one of records)
    for (const id of one.sources) {
      if (!by.has(id)) by.set(id, []);
      if (by.get(id).length < 8) by.get(id).push(one.id);
    }
  const pairs = new Map();
  for (const ids of by.values())
    for (const [n, source] of ids.entries())
      for (const target of ids.slice(n + 1)) {
        const pair = `${source} ${target}`;
        const edge = pairs.get(pair) || { source, target, kind: "together", weight: 0 };
        edge.weight += 1;
        pairs.set(pair, edge);
      }
  return [...pairs.values()];
}

async function strongest(nodes, edges) {
  for (const one of nodes.values()) one.weight = one.turns / 10;
  for (const one of edges) for (const id of [one.source, one.target]) nodes.get(id).weight += one.weight;
  const shown = [...nodes.values()].sort((a, b) => b.weight - a.weight).slice(0, MOST);
  const held = new Set(shown.map((one) => one.id));
  await Promise.all(
    shown
      .filter((one) => !one.name)
      .map(async (one) => {
        const there = await get(itemPath(one.id)).catch(() => null);
        one.kind = there ? there.kind : "gone";
        one.name = !there ? "gone" : quarantined(there) ? OUT_OF_SIGHT : nameOf(there);
      }),
  );
  return { nodes: shown, edges: edges.filter((one) => held.has(one.source) && held.has(one.target)), all: nodes.size };
}

// Springs along edges, repulsion between all, a pull to the middle; the start is a spiral, so that runs repeat.
function layOut({ nodes, edges }, width, height) {
  const place = new Map(
    nodes.map((one, n) => [
      one.id,
      { x: 26 * Math.sqrt(n) * Math.cos(2.4 * n), y: 26 * Math.sqrt(n) * Math.sin(2.4 * n), dx: 0, dy: 0 },
    ]),
  );
  const points = [...place.values()];
  const rest = 0.72 * Math.sqrt((width * height) / (nodes.length + 1));
  for (let heat = rest, step = 0; step < 320; step += 1, heat *= 0.985) {
    for (const [n, a] of points.entries()) {
      a.dx -= a.x * 0.06 * (height / width);
      a.dy -= a.y * 0.06 * (width / height);
      for (const b of points.slice(n + 1)) {
        const x = a.x - b.x || 0.01 * (n + 1),
          y = a.y - b.y || 0.01;
        const push = (rest * rest) / Math.max(x * x + y * y, 25);
        a.dx += x * push * 0.12;
        a.dy += y * push * 0.12;
        b.dx -= x * push * 0.12;
        b.dy -= y * push * 0.12;
      }
    }
    for (const one of edges) {
      const a = place.get(one.source),
        b = place.get(one.target);
      const x = a.x - b.x,
        y = a.y - b.y,
        far = Math.hypot(x, y) || 1;
      const pull = ((far - rest * 0.8) / far) * 0.05 * Math.min(2, 0.6 + one.weight / 6);
      a.dx -= x * pull;
      a.dy -= y * pull;
      b.dx += x * pull;
      b.dy += y * pull;
    }
    for (const one of points) {
      const far = Math.hypot(one.dx, one.dy) || 1,
        go_ = Math.min(far, heat);
      one.x += (one.dx / far) * go_;
      one.y += (one.dy / far) * go_;
      one.dx = one.dy = 0;
    }
  }
  return fitted(place, width, height);
}
function fitted(place, width, height) {
  const points = [...place.values()];
  const range = (of) => [Math.min(...points.map(of)), Math.max(...points.map(of))];
  const [left, right] = range((one) => one.x),
    [top, foot] = range((one) => one.y);
  const [mx, my] = [56, 34];
  for (const one of points) {
    one.x = right > left ? mx + ((one.x - left) / (right - left)) * (width - 2 * mx) : width / 2;
    one.y = foot > top ? my + ((one.y - top) / (foot - top)) * (height - 2 * my) : height / 2;
  }
  return place;
}

const radius = (one) => 5 + Math.min(13, 2 * Math.sqrt(one.turns));
// names where there is room for them, the strongest first
function labelled(nodes, place, width) {
  const taken = nodes.map((one) => {
    const { x, y } = place.get(one.id),
      r = radius(one);
    return [x - r, y - r, x + r, y + r, one.id];
  });
  const free = (box, id) =>
    box[0] > 2 &&
    box[2] < width - 2 &&
    taken.every(
      (other) => other[4] === id || box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1],
    );
  const labels = new Map();
  for (const one of nodes) {
    const { x, y } = place.get(one.id),
      r = radius(one),
      w = 7 * one.name.length;
    const spots = [
      [x, y + r + 13, "middle", x - w / 2],
      [x, y - r - 5, "middle", x - w / 2],
      [x + r + 5, y + 4, "start", x + r + 5],
      [x - r - 5, y + 4, "end", x - r - 5 - w],
    ];
    const spot = spots.find(([, ly, , lx]) => free([lx, ly - 11, lx + w, ly + 3], one.id));
    if (!spot) continue;
    labels.set(one.id, spot);
    taken.push([spot[3], spot[1] - 11, spot[3] + w, spot[1] + 3, ""]);
  }
  return labels;
}

function drawing(net, choose, width) {
  const height = Math.round(Math.min(560, Math.max(340, width * 0.72)));
  const place = layOut(net, width, height),
    labels = labelled(net.nodes, place, width);
  const line = (one) => {
    const a = place.get(one.source),
      b = place.get(one.target);
    return s(
      "line",
      {
        class: one.kind === "together" ? "edge" : "edge named",
        "data-ends": `${one.source} ${one.target}`,
        x1: a.x,
        y1: a.y,
        x2: b.x,
        y2: b.y,
        "stroke-width": Math.min(5, 0.8 + one.weight / 4),
      },
      s("title", {}, one.kind),
    );
  };
  const dot = (one) => {
    const { x, y } = place.get(one.id),
      r = radius(one);
    const shape =
      one.kind === "entity"
        ? s("circle", { cx: x, cy: y, r })
        : s("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, rx: 3 });
    const spot = labels.get(one.id) || [x, y + r + 13, "middle"];
    return s(
      "g",
      { class: labels.has(one.id) ? "node" : "node mute", "data-id": one.id, on: { click: () => choose(one.id) } },
      shape,
      s("text", { x: spot[0], y: spot[1], "text-anchor": spot[2] }, one.name),
      s("title", {}, one.name),
    );
  };
  return s(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${net.nodes.length} names and ${net.edges.length} links between them; the list beside holds the same.`,
    },
    net.edges.map(line),
    [...net.nodes].reverse().map(dot),
  );
}

async function graph(asked, still) {
  const net = await network();
  if (!still()) return;
  const lead = "Names that stand together in turns, and typed links between what is remembered.";
  if (!net.nodes.length) {
    const reflecting = acting("Reflect now", async () => {
      await post("reflect", { seconds: 20 });
      render();
    });
    put(
      BOX,
      title("Graph", lead),
      empty(
        "Nothing was derived yet. Reflecting finds the names in what was said.",
        h("br"),
        MEMORY.writable ? reflecting : "",
      ),
    );
    return;
  }
  const picture = h("div", { class: "picture" }),
    told_ = h("div", { class: "chosen", "aria-live": "polite" });
  const choose = (id) => choosing(net, id, picture, list, told_);
  const list = h(
    "ul",
    { class: "names", "aria-label": "Names" },
    net.nodes.map((one) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", "data-id": one.id, "aria-pressed": "false", on: { click: () => choose(one.id) } },
          h("bdi", {}, one.name),
          h("small", {}, whole(one.turns)),
        ),
      ),
    ),
  );
  const more =
    net.all > net.nodes.length &&
    h("p", { class: "quiet-words" }, `The ${net.nodes.length} strongest of ${whole(net.all)}.`);
  put(
    BOX,
    title("Graph", lead),
    h("div", { class: "graph" }, h("div", {}, picture, told_), h("div", { class: "beside" }, list, more || "")),
  );
  picture.append(drawing(net, choose, Math.max(300, picture.clientWidth)));
  walking(list, "button");
  choose(net.nodes[0].id);
}

function choosing(net, id, picture, list, box) {
  const near = new Map();
  for (const one of net.edges) {
    if (one.source === id) near.set(one.target, one);
    if (one.target === id) near.set(one.source, one);
  }
  for (const one of picture.querySelectorAll(".node")) {
    const its = one.getAttribute("data-id");
    one.classList.toggle("on", its === id);
    one.classList.toggle("near", near.has(its));
  }
  for (const one of picture.querySelectorAll(".edge"))
    one.classList.toggle("on", one.getAttribute("data-ends").split(" ").includes(id));
  for (const one of list.querySelectorAll("button"))
    one.setAttribute("aria-pressed", String(one.getAttribute("data-id") === id));
  const named = (wanted) => net.nodes.find((one) => one.id === wanted);
  const me = named(id);
  const others = [...near].sort((a, b) => b[1].weight - a[1].weight).slice(0, 12);
  put(
    box,
    h(
      "p",
      {},
      h("b", {}, h("bdi", {}, me.name)),
      me.kind === "entity" ? `, in ${amount(me.turns, "turn")}` : `, ${visible(me.kind)}`,
      ". ",
      toItem(id, {}, "Open"),
    ),
    others.length
      ? h(
          "p",
          { class: "quiet-words" },
          "With ",
          others.map(([other, edge], n) => [
            n ? ", " : "",
            h("bdi", {}, named(other).name),
            edge.kind === "together" ? ` (${edge.weight})` : ` (${visible(edge.kind)})`,
          ]),
        )
      : "",
  );
}
