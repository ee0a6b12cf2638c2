"""A made-up result of schema memspan.bench.run/2, for the tests of what renders it. No number in it was measured."""

import random

SYSTEMS = (
    *(("default", "memspan as it comes (lite)", "memspan"), ("full", "memspan with MiniLM", "memspan")),
    ("slim", "memspan without consolidation", "memspan"),
    ("no-window", "memspan without neighbours", "ablation"),
    *(("bm25", "BM25, single turns", "baseline"), ("dense", "static embedder, cosine", "baseline")),
    *(("recent", "the newest turns", "baseline"), ("window", "BM25 with neighbours", "baseline")),
    *(("alpha-mem", "Alpha Memory 2.1", "peer"), ("beta", "Beta", "peer"), ("gamma-graph", "Gamma Graph", "peer")),
    *(("delta<script>", "Delta <b>& Sons</b>", "peer"), ("epsilon", "Epsilon", "peer")),
    *(("oracle", "the gold units alone", "control"), ("nothing", "no memory", "control")),
)
REAL = ("locomo", "beam-100k", "beam-500k", "beam-1m", "realmem", "knowme-d3", "lifebench", "madial-en", "madial-zh")
MORE = ("memdaily", "prefeval", "hotpotqa", "2wiki", "musique", "memento")
MADE = ("standing", "factcons", "pi", "embs", "halumem", "mem2act", "ama", "rewriting", "browsecomp", "longmem")
FAMILY = {"beam-100k": "beam", "beam-500k": "beam", "beam-1m": "beam", "hotpotqa": "multihop", "2wiki": "multihop"}
QUALITY = {
    "default": 0.78,
    "full": 0.8,
    "slim": 0.72,
    "no-window": 0.61,
    "bm25": 0.62,
    "dense": 0.5,
    "recent": 0.05,
    "window": 0.69,
    "alpha-mem": 0.66,
    "beta": 0.58,
    "gamma-graph": 0.71,
    "delta<script>": 0.4,
    "epsilon": 0.55,
    "oracle": 1.0,
    "nothing": 0.0,
}
EVIL = "</script><script>window.executed = true</script><img src=x onerror='window.executed = true'>"
ACCESS = ("R@5", "R@10", "R@20", "hit@10", "all@10", "MRR", "nDCG@10", "T250", "T500", "T1000", "T2000", "P1000")
SHAPE = {"R@5": 0.85, "R@20": 1.1, "all@10": 0.8, "MRR": 0.9, "T250": 0.7, "T500": 0.88, "T2000": 1.12, "P1000": 0.2}


def fake(sets=None, seed=7):
    """All of it, or of the named sets alone."""
    draw = random.Random(seed)
    facts = [one for one in _sets() if sets is None or one["set"] in sets]
    results = [found for one in facts for name, _, _ in SYSTEMS if (found := _row(draw, one, name))]
    return {
        "schema": "memspan.bench.run/2",
        "command": "memspan bench run --data DATA --sets all --systems all --jobs 2",
        "at": "2026-11-21T09:00:00+00:00",
        "seconds": 5130.2,
        "machine": {"cpu": "Xeon <4>", "cores": 2, "memory_gb": 15.6, "system": "Linux 6.1 x86_64", "threads": "1"},
        "versions": {"python": "3.11.9", "memspan": "0.1.0", "numpy": "2.4.6", "onnxruntime": None},
        "seed": seed,
        "resamples": 10000,
        "split": "all",
        "quick": False,
        "llm": None,
        "tests_before": 2,
        "systems": [{"name": name, "title": title, "kind": kind} for name, title, kind in SYSTEMS],
        "sets": facts,
        "files": [
            {
                "set": one["set"],
                "part": "data",
                "file": f"{one['set']}/data.json",
                "sha256": f"{n:064x}",
                "known": n != 4,
            }
            for n, one in enumerate(facts)
            if not one["made"]
        ],
        "notices": ["realmem: the data file is of another version than the one we know", f"a name to escape: {EVIL}"],
        "absent": {"zeta-mem": "wants a paid service; not installable offline", "eta": EVIL},
        "results": results,
        "compared": [pair for one in facts for pair in _pairs(draw, one, results)],
        "signal": [
            {
                "set": one["set"],
                "metric": one["headline"],
                "signal": 0.7,
                "noise": 0.7 / snr,
                "snr": snr,
                "informational": snr < 3,
            }
            for n, one in enumerate(facts)
            for snr in [1.9 if n % 9 == 5 else 14.2]
        ],
        "macro": [_macro(results, facts, name) for name, _, kind in SYSTEMS if kind != "control"],
    }


def bare(sets):
    """A run of the named sets of which nothing came."""
    return fake(sets) | {name: [] for name in ("results", "compared", "signal", "macro", "files", "notices")}


def _sets():
    names = [(name, False) for name in (*REAL, *MORE)] + [(f"{name}-syn", True) for name in MADE]
    return [
        {
            "set": name if name != "memento" else "memento <i>&\"'",
            "family": "" if made else FAMILY.get(name, name),
            "headline": "T1000" if name in ("standing-syn",) else "EM" if name == "pi-syn" else "R@10",
            "level": "unit",
            "protocol": "interleaved" if name == "realmem" else "inject once, query many",
            "made": made,
            "cases": 7,
            "units": 5882,
            "questions": 1986,
            "scored": 1982,
            "card": {
                "title": f"{name}: a title",
                "licence": "Apache-2.0" if made else "CC BY-NC 4.0",
                "source": "made by memspan" if made else f"https://example.org/{name}",
            },
        }
        for name, made in names
    ]


def _row(draw, one, system):
    if (one["set"], system) in {("beam-1m", "gamma-graph"), ("locomo", "epsilon")}:
        return None
    kind = {name: kind for name, _, kind in SYSTEMS}[system]
    if kind == "control" and not one["made"]:
        return None
    row = {"set": one["set"], "system": system, "cases": 7, "of_cases": 7, "status": "done", "why": ""}
    row |= {"questions": 1982, "clusters": 1 if one["set"] == "ama-syn" else 10, "headline": one["headline"]}
    if system == "beta" and one["set"].startswith("beam"):
        why = f"exit 1: {EVIL}"
        return row | {"cases": 0, "status": "failed", "why": why, "metrics": {}, "questions": 0} | _nothing()
    if system == "gamma-graph" and one["units"] and one["set"] in ("lifebench", "realmem", "memdaily"):
        row |= {"cases": 4, "status": "cut", "why": "time limit", "questions": 1103}
    level = min(1.0, max(0.0, QUALITY[system] * draw.uniform(0.75, 1.15)))
    metrics = _metrics(draw, level, one, row["clusters"] > 1)
    return row | {
        "metrics": metrics,
        "halves": {
            half: {name: min(1.0, max(0.0, mean["mean"] + step)) for name, mean in metrics.items()}
            for half, step in (("dev", 0.01), ("test", -0.01))
        },
        "by_category": {
            name: {"questions": 400, "metrics": _metrics(draw, level * share, one, True)}
            for name, share in (("single <hop>", 1.05), ("multi hop", 0.8), ("temporal", 0.9))
            if not one["made"]
        },
        "by_rung": _rungs(draw, level, one) if one["set"] in ("embs-syn", "pi-syn", "halumem-syn") else {},
        "cost": _cost(draw, system),
    }


def _nothing():
    return {"halves": {}, "by_category": {}, "by_rung": {}, "cost": {}}


def _mean(level, half, some):
    level = min(1.0, max(0.0, level))
    if not some:
        return {"mean": level, "low": None, "high": None}
    return {"mean": level, "low": max(0.0, level - half), "high": min(1.0, level + half)}


def _metrics(draw, level, one, some):
    found = {name: _mean(level * SHAPE.get(name, 1.0), draw.uniform(0.01, 0.05), some) for name in ACCESS}
    found["tokens"] = {"mean": 981.5, "low": 960.0, "high": 999.0}
    if one["made"]:
        found |= {name: _mean((1 - level) * 0.4, 0.03, some) for name in ("stale", "negative")}
        found |= {name: _mean(level * share, 0.03, some) for name, share in (("EM", 0.8), ("F1", 0.85))}
        found |= {"EM oracle": _mean(1.0, 0.0, some), "EM nothing": _mean(0.0, 0.0, some)}
    return found


def _rungs(draw, level, one):
    return {
        str(rung): {
            "questions": 60,
            "metrics": _metrics(draw, level * (1 - 0.08 * n), one, True),
            "read_ms_p50": 0.4 * 2.2**n * draw.uniform(0.8, 1.2),
        }
        for n, rung in enumerate((1000, 10000, 100000))
    }


def _cost(draw, system):
    slow = {"alpha-mem": 40, "beta": 12, "gamma-graph": 300, "delta<script>": 90, "epsilon": 5}.get(system, 1)
    read = 0.6 * slow * draw.uniform(0.6, 1.6)
    return {
        "turns": 5882,
        "write_s": 1.2 * slow,
        "turns_per_s": round(4900 / slow),
        "write_ms_p50": 0.2 * slow,
        "write_ms_p95": 0.5 * slow,
        "write_ms_p99": 0.9 * slow,
        "read_ms_p50": read,
        "read_ms_p95": 1.6 * read,
        "read_ms_p99": 2.4 * read,
        "bytes_on_disk": 0 if system in ("recent", "bm25", "nothing") else int(draw.uniform(2e6, 2e7) * slow**0.3),
        "peak_rss_mb": 80 + slow,
        "tokens_out": 981.5,
        "llm_calls": 5882 if system == "alpha-mem" else 0,
    }


def _pairs(draw, one, results):
    of = {row["system"]: row for row in results if row["set"] == one["set"] and row["metrics"]}
    for ours in ("default", "full"):
        for other in of:
            if other in ("default", "full", "slim", "no-window", "oracle", "nothing"):
                continue
            for metric in dict.fromkeys((one["headline"], "T1000")):
                yield _pair(draw, one, metric, of[ours], of[other])


def _pair(draw, one, metric, ours, other):
    difference = ours["metrics"][metric]["mean"] - other["metrics"][metric]["mean"]
    half = draw.uniform(0.01, 0.09)
    single = ours["clusters"] == 1
    p = min(1.0, max(0.0001, 2.0 ** (-8 * abs(difference) / half)))
    return {
        "set": one["set"],
        "metric": metric,
        "ours": ours["system"],
        "other": other["system"],
        "questions": min(ours["questions"], other["questions"]),
        "clusters": ours["clusters"],
        "difference": difference,
        "low": None if single else difference - half,
        "high": None if single else difference + half,
        "p": 1.0 if single else p,
        "p_holm": 1.0 if single else min(1.0, p * 10),
        "mdd": None if single else half * 1.4,
        "t_low": None,
        "t_high": None,
        "mcnemar": None,
    }


def _macro(results, facts, system):
    family = {one["set"]: one["family"] for one in facts if one["family"]}
    rows = [row for row in results if row["system"] == system and row["set"] in family and row["metrics"]]
    entry = {"system": system, "families": sorted({family[row["set"]] for row in rows}), "of": len({*family.values()})}
    for name in ("headline", "T1000"):
        means = [row["metrics"][row["headline"] if name == "headline" else name]["mean"] for row in rows]
        if means:
            entry[name] = _mean(sum(means) / len(means), 0.013, True)
    return entry
