// How things are written: times, numbers, names, and remembered text, of which nothing is unseen.
const none = (value) => value === null || value === undefined;
const whole = (value) => (none(value) ? "–" : Math.round(value).toLocaleString("en"));
const amount = (count, thing) => `${whole(count)} ${thing}${count === 1 ? "" : "s"}`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
function bytes(value) {
  if (none(value)) return "–";
  const [step, unit] = value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : value >= 1e3 ? [1e3, "kB"] : [1, "B"];
  return `${Number((value / step).toPrecision(3))} ${unit}`;
}
const lasting = (seconds) =>
  seconds < 1 ? `${Number((seconds * 1000).toPrecision(2))} ms` : `${seconds.toFixed(1)} s`;

// all times are UTC, as they are kept
const written = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const DAY = written({ day: "numeric", month: "short", year: "numeric" });
const LONG_DAY = written({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const TIME = written({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const atMidnight = (iso) => iso.slice(11, 19) === "00:00:00";
const day = (iso) => (none(iso) ? "no time known" : DAY.format(new Date(iso)));
const longDay = (iso) => (none(iso) ? "No time known" : LONG_DAY.format(new Date(iso)));
const clock = (iso) => (none(iso) || atMidnight(iso) ? "" : TIME.format(new Date(iso)));
const when = (iso) => [day(iso), clock(iso)].filter(Boolean).join(", ");
const time = (iso, shown = when(iso)) =>
  none(iso) ? h("span", {}, shown) : h("time", { datetime: iso, title: `${iso}` }, shown);

// controls, marks that turn text around, and what takes no room; joiners inside words and pictures stay as they are
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;
const point = (found) => `⟨U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
const visible = (text) => String(text).replace(/\r\n?/g, "\n").replace(UNSEEN, point);
const oneLine = (text) => visible(text).replace(/\s+/g, " ").trim();
function clipped(text, most) {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most); // no half of a pair
}
const short = (text, most = 90) => {
  const line = oneLine(clipped(String(text), 4 * most));
  return line.length > most ? `${clipped(line, most - 1)}…` : line;
};

const who = (one) => one.speaker || one.role || "";
const KINDS = ["fact", "preference", "instruction", "entity", "episode", "summary", "day", "week", "month"];
const ARMS = {
  lexical: "words shared",
  static: "meaning",
  onnx: "meaning, by MiniLM",
  user: "who said it",
  speaker: "said by the one asked about",
  date: "in the time asked about",
  asked: "states what is asked for",
  exchange: "answers what came before it",
  bridge: "a name in the best hits",
  succession: "order of old and new",
  reranker: "read again by MiniLM",
};
// in the steps of the calibration table in docs/concepts.md
function sureness(confidence) {
  if (confidence >= 0.8) return ["Very likely here", "good"];
  if (confidence >= 0.6) return ["Probably here", "good"];
  if (confidence >= 0.35) return ["May or may not be here", "soft"];
  if (confidence >= 0.12) return ["Probably not here", "bad"];
  return ["Very likely not here", "bad"];
}
const tenths = (confidence) => Math.round(confidence * 10);
function oftenness(confidence) {
  const of = tenths(confidence);
  const words = of <= 0 ? "hardly any" : of >= 10 ? "nearly all" : `about ${of} in 10`;
  return `Of recalls this sure, ${words} have the answer among the ten best hits.`;
}

const MARKS = {
  superseded: ["superseded", "Something newer holds."],
  archived: ["archived", "Out of the way: no recall finds it."],
  quarantined: ["quarantined", "Kept, but not shown: there are secrets in it."],
  pinned: ["pinned", "Never archived for room."],
  held: ["on hold", "It may not be forgotten."],
  expiring: ["expiring", "Hidden from then on, then erased."],
  suspect: ["suspect", "Reads like an instruction to a model, from somebody who may not give one."],
  contradicts: ["contradicted", "Something else says otherwise; memory cannot say which holds."],
};
