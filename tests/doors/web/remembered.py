"""Memories for the page: a small friendly one, and one that is all traps."""

from importlib.resources import as_file, files

from memspan import Change, Link, Memory, Record, Turn
from memspan.text.read import read

HACK = "window.hacked=(window.hacked||0)+1"
TRAPS = [
    f"<script>{HACK}</script>",
    f"</script><script>{HACK}</script>",
    f"<img src=x onerror={HACK}>",
    f"<svg><script>{HACK}</script></svg>",
    f"<svg onload={HACK}>",
    f'"><body onload={HACK}>',
    f"'-{HACK}-'",
    f"javascript:{HACK}",
    f'<a href="javascript:{HACK}">click</a>',
    f"</textarea></title></style><script>{HACK}</script>",
    f"<!--<script>{HACK}</script>-->",
    f"]]><script>{HACK}</script>",
    f"<iframe srcdoc='<script>parent.{HACK}</script>'></iframe>",
    "<style>*{background:url(http://127.0.0.1:9/leak)}</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/leak.css><base href=http://127.0.0.1:9/>",
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/leak">',
    "<form action=http://127.0.0.1:9/><button autofocus>send</button></form>",
    "${alert(1)} {{script}} {{constructor.constructor('alert(1)')()}} %3Cscript%3E",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt; is shown as it stands",
    "__proto__ constructor toString hasOwnProperty",
    "turned around: \u202egnp.exe\u202c and \u2066hidden\u2069 and \u200bnothing\ufeff",
    "controls: \x01\x07\x1b[31mred\x7f\x85 end",
    "tags: \U000e0041\U000e0042 and lines\u2028apart\u2029here",
    "שלום <b>עולם</b> and العربية",
    "word" * 25_000,
    "<" * 5_000,
]


def friendly(path, scope="demo"):
    """The conversation that comes along, with facts that changed, a contradiction, a reminder and a trap of a tool."""
    with Memory(path, scope=scope) as memory:

        def say(text, at, speaker="Maya", session="2025-04 plans", **more):
            return memory.remember(text, speaker=speaker, at=at, session=session, **more).ids[0]

        say("I live in Bristol, above the bakery.", "2024-01-03T10:00Z", session="2024-01 hello")
        with as_file(files("memspan.doors.cli") / "demo.jsonl") as file:
            memory.remember(read(file))
        say("I live in Lisbon now.", "2025-04-02T09:00Z")
        closes = say("The workshop closes at seven.", "2025-04-02T09:02Z", speaker="Jonas")
        memory.correct(closes, "The workshop closes at six.", reason="read on its door", role="tool")
        say("Remind me to call Teresa about the accordion on Friday.", "2025-04-02T09:04Z")
        ages = say("Pixel is sixteen months old.", "2025-04-02T09:07Z", speaker="Jonas")
        memory.correct(ages, "Pixel is two years old.", reason="counted again")
        memory.reflect()
    return path


def hostile(path, scope):
    """Each trap as text, speaker, session, meta, record, name and kind of a link."""
    with Memory(path, scope=scope) as memory:
        short = [trap[:400] for trap in TRAPS]
        turns = [
            Turn(
                trap,
                speaker=short[n - 1],
                session=short[n - 2],
                at=f"2025-01-01T00:{n:02}:00Z",
                meta={short[n]: trap[:90_000]},
            )
            for n, trap in enumerate(TRAPS)
        ]
        ids = memory.remember(turns).ids
        records = [
            Record(id=f"r{n} {trap[:60]}", kind=trap[:80], text=trap, sources=(ids[n],), entities=(trap[:80],))
            for n, trap in enumerate(short)
        ]
        names = [
            Record(id=f"e{n}", kind="entity", text=trap, sources=ids[n : n + 3], entities=(trap,))
            for n, trap in enumerate(short)
        ]
        links = [Link(source=ids[n], target=ids[n - 1], kind=trap[:80]) for n, trap in enumerate(short)]
        links.append(Link(source=ids[0], target=ids[1], kind="contradicts"))
        memory.apply([Change("add", one) for one in (*records, *names, *links)])
        memory.correct(ids[2], TRAPS[0] + " corrected", reason=TRAPS[1])
    return ids


def large(path, turns, scope="large"):
    """Many turns over many days."""
    words = ("bread", "river", "lamp", "window", "garden", "train", "letter", "music", "winter", "harbour", "copper")
    with Memory(path, scope=scope, durability="process") as memory:
        memory.remember(
            Turn(
                f"Note {n}: the {words[n % 11]} stands by the {words[n * 7 % 11]}, {words[n * 5 % 11]} and {n % 97}.",
                speaker=("Ann", "Ben")[n % 2],
                session=f"day {n // 40}",
                at=1.6e9 + 900.0 * n,
            )
            for n in range(turns)
        )
    return path
