"""A small conversation, and hypothesis strategies for larger ones."""

from hypothesis import strategies as st

from memspan import Turn

MAY_8 = 1683554160.0  # 8 May 2023, 13:56, a Monday
DAY_S = 86400.0

_SAID = [
    ("s1", 0, "Ana", "Hi Ben! How are you?"),
    ("s1", 60, "Ben", "Hey Ana! I'm swamped, my pottery class started yesterday."),
    ("s1", 120, "Ana", "That sounds great! Who teaches the pottery class?"),
    ("s1", 180, "Ben", "Dr. Lee does. She showed us her blue bowls from Kyoto."),
    ("s1", 240, "Ana", "Wow! I moved to Lisbon in March, and I miss the river at home."),
    ("s1", 300, "Ben", "You will like Lisbon. My sister lives near Porto."),
    ("s2", 3 * DAY_S, "Ana", "I met Lee at the market in Lisbon, she sells bowls."),
    ("s2", 3 * DAY_S + 60, "Ben", "Nice! Tell her that my second bowl broke in the kiln."),
    ("s3", 30 * DAY_S, "Ben", "My sister visited from Porto, and we took the train to Lisbon."),
    ("s3", 30 * DAY_S + 60, "Ana", "Great! I was at the Lisbon film festival then."),
]


def talk(scope="s"):
    """Ten turns of Ana and Ben in three sessions, on two weeks of May and one of June 2023."""
    return [
        Turn(text, speaker=speaker, session=session, at=MAY_8 + after, id=f"t{n}", scope=scope)
        for n, (session, after, speaker, text) in enumerate(_SAID)
    ]


_SAMPLE = """
Lisbon Porto Ana Ben Dr. Lee Mary's I we you moved works likes never always please prefer instead now bowl train kiln
12 river festival yesterday? . ! ... **Bold** ```code``` - 我
"""
_WORDS = st.sampled_from([*_SAMPLE.split(), "\n"])
_TEXTS = st.lists(_WORDS, min_size=1, max_size=30).map(" ".join).filter(str.strip)


@st.composite
def conversations(draw, timed=None):
    """Turns with ids t0, t1, ...; timed: each at another time."""
    count = draw(st.integers(1, 25))
    clock = draw(st.floats(-1e9, 4e9))
    turns = []
    for n in range(count):
        clock += draw(st.sampled_from([1.0, 60.0, 2000.0, 50_000.0, 1e6]))
        turns.append(
            Turn(
                draw(_TEXTS),
                speaker=draw(st.sampled_from(["", "Ana", "Ben", "user"])),
                role=draw(st.sampled_from(["user", "assistant", "tool"])),
                session=draw(st.sampled_from(["", "a", "b"])),
                at=clock if timed or draw(st.booleans()) else None,
                seen_at=clock,
                id=f"t{n}",
            )
        )
    return turns
