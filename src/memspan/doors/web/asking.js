// Who answers: the server beside this page, or the memory that this file carries. Both are asked in the same words.
class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const kept = {
  read(store, name) {
    try {
      return store().getItem(name) || "";
    } catch {
      return ""; // a browser that keeps nothing
    }
  },
  write(store, name, value) {
    try {
      if (value) store().setItem(name, value);
      else store().removeItem(name);
    } catch {
      // it is then forgotten with the page
    }
  },
};
const inSession = () => window.sessionStorage;
const inBrowser = () => window.localStorage;

class Server {
  writable = true;
  #key = kept.read(inSession, "memspan.key");

  get hasKey() {
    return Boolean(this.#key);
  }
  set key(value) {
    this.#key = value.trim();
    kept.write(inSession, "memspan.key", this.#key);
  }

  async ask(method, path, query = {}, body = undefined) {
    const address = new URL(`v1/${path}`, document.baseURI);
    for (const [name, value] of Object.entries({ scope: SCOPE(), ...query }))
      if (!none(value) && value !== "") address.searchParams.set(name, value);
    address.hash = "";
    const headers = { Accept: "application/json" };
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      const sent = body === undefined ? undefined : JSON.stringify(body);
      answer = await fetch(address, { method, headers, body: sent, cache: "no-store", redirect: "error" });
    } catch {
      throw new Refused("The server does not answer. Is memspan serve still running?");
    }
    const told = await answer.json().catch(() => null);
    if (answer.ok && told !== null) return told;
    throw new Refused(this.#sentence(answer, told || {}), answer.status);
  }

  #sentence(answer, told) {
    const detail = typeof told.detail === "string" ? told.detail : told.title || "";
    if (answer.status === 401)
      return this.hasKey
        ? "The server does not take this key."
        : "This server wants a key: give it one with “API key”.";
    if (answer.status === 403) return `This key may not do that here. ${sentence(detail)}`.trim();
    if (answer.status === 429) {
      const wait = answer.headers.get("Retry-After");
      return `That was too much at once. Try again ${wait ? `in ${wait} s` : "in a moment"}.`;
    }
    if (answer.status >= 500) return `The server could not do it. ${sentence(detail)}`.trim();
    return sentence(detail) || `The server refused this with status ${answer.status}.`;
  }
}
const sentence = (text) => {
  const line = oneLine(text);
  return line && line[0].toUpperCase() + line.slice(1) + (/[.!?]$/.test(line) ? "" : ".");
};

// the same answers out of what the file carries; search goes by plain words
class Carried {
  writable = false;
  hasKey = false;
  #all;
  #byId = new Map();
  #words = null;

  constructor(all) {
    this.#all = all;
    for (const one of [...all.turns, ...all.records]) this.#byId.set(one.id, one);
  }
  get facts() {
    return this.#all;
  }

  async ask(method, path, query = {}, body = undefined) {
    const [what, id, more] = path.split("/").map(decodeURIComponent);
    const all = this.#all;
    if (what === "items") return more === "history" ? this.#history(id) : this.#item(id);
    if (what === "turns") return this.#turns(query);
    if (what === "records") return this.#records(query);
    if (what === "recall") return this.#recall(body);
    if (what === "links") return this.#links(query);
    if (what === "changes") return this.#changes(query);
    if (["sessions", "receipts", "due"].includes(what) && method === "GET") return { [what]: all[what] };
    if (what === "stats") return all.stats;
    throw new Refused(
      "This page is a file: nothing can be changed here. Use the page of memspan serve, or the commands.",
    );
  }

  #item(id) {
    const found = this.#byId.get(id);
    if (!found) throw new Refused("That is not in this file.", 404);
    return found;
  }
  #turns({ session, after, limit = 50, newest }) {
    const turns = session ? this.#all.turns.filter((one) => one.session === session) : this.#all.turns;
    return page("turns", newest ? [...turns].reverse() : turns, after, limit);
  }
  #records({ kind, source, after, limit = 50 }) {
    const wanted = (one) => (!kind || one.kind === kind) && (!source || one.sources.includes(source));
    return page("records", this.#all.records.filter(wanted), after, limit);
  }
  #links({ about, kind = "", without = "" }) {
    const named = (words) => words.split(",").filter(Boolean);
    const [wanted, unwanted] = [named(kind), named(without)];
    const links = this.#all.links.filter(
      (one) =>
        (!about || [one.source, one.target].includes(about)) &&
        (!wanted.length || wanted.includes(one.kind)) &&
        !unwanted.includes(one.kind),
    );
    return { links };
  }
  #history(id) {
    const family = new Set([id]);
    const { events } = this.#all;
    for (let size = 0; size !== family.size;) {
      size = family.size;
      for (const one of events)
        if (one.heir && (family.has(one.id) || family.has(one.heir))) family.add(one.id).add(one.heir);
    }
    return { events: events.filter((one) => family.has(one.id)) };
  }
  #changes({ what, newest, after = 0, limit = 100 }) {
    const wanted = what && what.split(",");
    const events = this.#all.events.filter((one) => !wanted || wanted.includes(one.what));
    if (newest) events.reverse();
    const from = Number(after) || 0;
    return { events: events.slice(from, from + limit), next: from + limit < events.length ? from + limit : null };
  }

  #recall({ question, kinds, limit = 20 }) {
    const asked = [...new Set(wordsOf(question))];
    const all = [...this.#all.turns, ...this.#all.records.filter((one) => (kinds || []).includes(one.kind))];
    this.#words = this.#words || new Map();
    const found = [];
    const seen = new Map(asked.map((word) => [word, 0]));
    for (const one of all) {
      if (kinds && !kinds.includes(one.kind)) continue;
      if (["archived", "quarantined"].includes(one.state && one.state.status)) continue;
      if (!this.#words.has(one.id)) this.#words.set(one.id, new Set(wordsOf(`${who(one)} ${one.text}`)));
      const held = asked.filter((word) => this.#words.get(one.id).has(word));
      for (const word of held) seen.set(word, seen.get(word) + 1);
      if (held.length) found.push([one, held]);
    }
    const weight = (word) => Math.log(1 + all.length / (1 + seen.get(word)));
    const scored = found.map(([one, held]) => [one, held, held.reduce((sum, word) => sum + weight(word), 0)]);
    scored.sort((a, b) => b[2] - a[2] || String(b[0].at).localeCompare(String(a[0].at)));
    return { plain: true, question, confidence: null, standing: [], hits: scored.slice(0, limit).map(asHit) };
  }
}
const wordsOf = (text) =>
  clipped(String(text), 20_000)
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) || [];
const asHit = ([one, held], place) => ({
  ...one,
  rank: place + 1,
  status: one.state ? one.state.status : "active",
  until: one.state ? one.state.valid_to : null,
  heir: one.state ? one.state.heir : "",
  sources: one.sources || [],
  held,
});
function page(name, rows, after, limit) {
  const from = after ? rows.findIndex((one) => one.id === after) + 1 : 0;
  const held = rows.slice(from, from + Number(limit));
  return { [name]: held, next: from + held.length < rows.length ? held[held.length - 1].id : null };
}

const CARRIED = document.getElementById("carried");
const MEMORY = CARRIED ? new Carried(JSON.parse(CARRIED.textContent)) : new Server();
const get = (path, query) => MEMORY.ask("GET", path, query);
const post = (path, body, query) => MEMORY.ask("POST", path, query, body);
const itemPath = (id) => `items/${encodeURIComponent(id)}`;
