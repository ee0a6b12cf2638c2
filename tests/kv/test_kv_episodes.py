"""Episodes: a conversation of three subjects, each with its own cache; a question goes to the nearest."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.methods.epicache import Cutting, EpiCache, Episodes  # noqa: E402
from memspan.testing.kv_tasks import ASK, FIRST_KEY, FIRST_VALUE, START, VALUES, walk  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

SUBJECTS, EACH, ROOM, BLOCK = 3, 8, 40, 50


@pytest.fixture(scope="module")
def model():
    """The circuit."""
    return circuit()


def said(ids):
    """A text whose words are its ids."""
    return " ".join(str(token) for token in ids)


def encode(text):
    """Its ids."""
    return [int(word) for word in text.split()]


def embed(texts):
    """How often each subject's keys occur: a stand-in for an embedder."""
    rows = []
    for text in texts:
        keys = [token - FIRST_KEY for token in encode(text) if FIRST_KEY <= token < FIRST_VALUE]
        rows.append([sum(key // 20 == subject for key in keys) + 0.01 for subject in range(SUBJECTS)])
    return rows


@pytest.fixture(scope="module")
def talk():
    """Utterances, each with a needle, by subject in turns of four; and the needles (key, values) of each subject."""
    random = torch.Generator().manual_seed(4)
    filler = walk(SUBJECTS * EACH, 6, random).tolist()
    needles = {subject: [] for subject in range(SUBJECTS)}
    utterances = []
    for number in range(SUBJECTS * EACH):
        subject = number // 4 % SUBJECTS
        key = FIRST_KEY + 20 * subject + len(needles[subject])
        values = (FIRST_VALUE + torch.randint(VALUES, (3,), generator=random)).tolist()
        needles[subject].append((key, values))
        utterances.append(said([*([START] if not number else []), *filler[number], key, *values]))
    return utterances, needles


@torch.no_grad()
def right(model, cache, key, values):
    """Whether a cache answers a question."""
    logits = model(torch.tensor([[ASK, key]]), past_key_values=cache).logits[:, -1]
    for value in values:
        if int(logits.argmax(-1)) != value:
            return False
        logits = model(torch.tensor([[value]]), past_key_values=cache).logits[:, -1]
    return True


CUTTING = Cutting(episodes=SUBJECTS, window=4, medoids=4, block=BLOCK)


def test_a_question_is_answered_from_its_episode(model, talk):
    """Other episodes' caches, and one that knows no episodes, have dropped what it needs."""
    utterances, needles = talk
    with kv.compress(model, EpiCache(window=16), Budget(tokens=ROOM)) as cache:
        episodes = Episodes(model, cache, utterances, embed=embed, encode=encode, cutting=CUTTING)
        assert len(episodes) == SUBJECTS
        own, other, none = [], [], []
        plain = cache.fork()
        with torch.no_grad():
            for block in torch.tensor([encode(" ".join(utterances))]).tensor_split(5, dim=1):
                model(block, past_key_values=plain)
        for subject, pairs in needles.items():
            near, far = f"{ASK} {pairs[0][0]}", f"{ASK} {needles[(subject + 1) % SUBJECTS][0][0]}"
            assert episodes.nearest(near) != episodes.nearest(far)
            for key, values in pairs[:4]:
                own.append(right(model, episodes.about(f"{ASK} {key}"), key, values))
                other.append(right(model, episodes.about(far), key, values))
                none.append(right(model, plain.fork(), key, values))
    shares = [sum(answers) / len(answers) for answers in (own, other, none)]
    print("own {:.2f}, other {:.2f}, none {:.2f}".format(*shares))
    assert shares[0] > 0.7 and shares[0] > max(shares[1:]) + 0.3


def test_caches_hold_the_budget_and_forks_leave_them_alone(model, talk):
    """Whatever is asked; together they are as many times one cache as there are episodes."""
    with kv.compress(model, EpiCache(), Budget(tokens=ROOM)) as cache:
        episodes = Episodes(model, cache, talk[0], embed=embed, encode=encode, cutting=CUTTING)
        before = episodes.nbytes()
        forks = [episodes.about(f"{FIRST_KEY + 20 * subject}") for subject in range(SUBJECTS)]
        for fork in forks:
            assert [int(rows.sum()) for rows in fork.lengths()] == [ROOM * 2] * 2
            assert fork.get_seq_length() == sum(len(encode(text)) for text in talk[0])
        with torch.no_grad():
            model(torch.ones(1, 30, dtype=torch.long), past_key_values=forks[0])
        assert episodes.nbytes() == before and cache.get_seq_length() == 0


def test_no_cut_sees_more_rows_than_the_budget_and_a_block(model, talk):
    """And each layer's rows are what its keys' similarity says."""
    seen = []

    class Watched(EpiCache):
        def score(self, view):
            seen.append((view.layer, int(view.present.sum((1, 2)).max())))
            return super().score(view)

    with kv.compress(model, Watched(similar=(0.9, 0.4)), Budget(tokens=ROOM)) as cache:
        episodes = Episodes(model, cache, talk[0], embed=embed, encode=encode, cutting=CUTTING)
        rows = [int(layer.sum()) for layer in episodes.about("32").lengths()]
    assert rows == [ROOM // 4 * 2, ROOM * 4 - ROOM // 4 * 2]
    assert max(count for layer, count in seen if layer == 1) <= rows[1] + 2 * BLOCK
    assert len(seen) >= SUBJECTS * 2 * 4


def test_medoids_are_the_windows_nearest_to_a_centre_in_order(model, talk):
    """After the words that introduce them."""
    cutting = Cutting(episodes=1, window=4, medoids=2, block=BLOCK, lead=(7, 8))
    with kv.compress(model, EpiCache(), Budget(tokens=ROOM)) as cache:
        episodes = Episodes(
            model, cache, talk[0], embed=lambda texts: [[1, float("5" in text[:4])] for text in texts], encode=encode,
            cutting=cutting,
        )  # fmt: skip
    windows = [encode(" ".join(talk[0][start : start + 4])) for start in range(0, len(talk[0]), 4)]
    patch = list(episodes.patches[0])
    assert patch[:2] == [7, 8]
    found = [
        (a, b) for a in range(len(windows)) for b in range(a + 1, len(windows)) if patch[2:] == windows[a] + windows[b]
    ]
    assert len(found) == 1


def test_what_cannot_be_read_is_refused(model, talk):
    """Another policy's cache, one that has read, a conversation without a word."""
    arguments = {"embed": embed, "encode": encode}
    with kv.compress(model, "snapkv") as cache, pytest.raises(UsageError, match="EpiCache"):
        Episodes(model, cache, talk[0], **arguments)
    with kv.compress(model, EpiCache()) as cache:
        with pytest.raises(UsageError, match="without a word"):
            Episodes(model, cache, [], **arguments)
        with torch.no_grad():
            model(torch.ones(1, 8, dtype=torch.long), past_key_values=cache)
        with pytest.raises(UsageError, match="empty cache"):
            Episodes(model, cache, talk[0], **arguments)
