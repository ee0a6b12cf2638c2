"""Layers and pages hold what a plain list of rows holds, whatever is done to them, and count their bytes."""

import gc

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from memspan import load  # noqa: E402
from memspan.kv.store.layer import Layer  # noqa: E402
from memspan.kv.store.pages import Pages, Segment, unique_bytes  # noqa: E402

HEADS, DIM, SLOTS = 2, 4, 4
RAW = load("codec", "raw")()


class Plain:
    """The same rows in lists: a model of what a Layer has to hold. Rows are (place, key, value, figure)."""

    def __init__(self, batch: int) -> None:
        self.heads = [[[] for _ in range(HEADS)] for _ in range(batch)]
        self.seen = [0] * batch

    def copy(self) -> "Plain":
        other = Plain(0)
        other.heads, other.seen = [[list(rows) for rows in heads] for heads in self.heads], list(self.seen)
        return other


class Pair:
    """A Layer and its model, told the same."""

    def __init__(self, layer: Layer, plain: Plain, random: torch.Generator) -> None:
        self.layer, self.plain, self.random = layer, plain, random

    def append(self, time: int, pads: list[int]) -> None:
        batch = len(self.plain.heads)
        keys, values = (torch.randn(batch, HEADS, time, DIM, generator=self.random) for _ in range(2))
        figure = torch.randn(batch, HEADS, time, generator=self.random)
        places = torch.full((batch, time), -1)
        for row, pad in enumerate(pads[:batch]):
            pad = min(pad, time)
            places[row, pad:] = torch.arange(time - pad) + self.plain.seen[row]
            for head in range(HEADS):
                for column in range(pad, time):
                    one = (keys[row, head, column], values[row, head, column], float(figure[row, head, column]))
                    self.plain.heads[row][head].append((int(places[row, column]), *one))
            self.plain.seen[row] += time - pad
        self.layer.append(keys, values, places, {"figure": figure})

    def cut(self) -> None:
        """Rows drawn by lot stay, at least one a head; heads become ragged."""
        layer = self.layer
        positions, (keys, values) = layer.positions().long(), layer.dense()
        drawn = torch.rand(positions.shape, generator=self.random) + (positions < 0) * 9
        kept = ((drawn < 0.6) | (drawn == drawn.min(-1, keepdim=True).values)) & (positions >= 0)
        order = (~kept).to(torch.int8).argsort(dim=-1, stable=True)
        wide = order[..., None].expand(-1, -1, -1, DIM)
        where = positions.masked_fill(~kept, -1).gather(2, order)
        figures = {name: part.gather(2, order) for name, part in layer.figures.items()}
        layer.replace(keys.gather(2, wide), values.gather(2, wide), where, figures)
        staying = [[set(where[row, head].tolist()) for head in range(HEADS)] for row in range(len(where))]
        for row, heads in enumerate(self.plain.heads):
            for head, rows in enumerate(heads):
                heads[head] = [one for one in rows if one[0] in staying[row][head]]

    def choose(self, sequences: list[int]) -> None:
        self.layer.choose(torch.tensor(sequences))
        old = self.plain.copy()
        self.plain.heads = [[list(rows) for rows in old.heads[row]] for row in sequences]
        self.plain.seen = [old.seen[row] for row in sequences]

    def fork(self) -> "Pair":
        return Pair(self.layer.fork(), self.plain.copy(), self.random)

    def agree(self) -> None:
        layer = self.layer
        positions, (keys, values) = layer.positions(), layer.dense()
        assert layer.seen.tolist() == self.plain.seen
        for row, heads in enumerate(self.plain.heads):
            for head, rows in enumerate(heads):
                here = positions[row, head] >= 0
                assert positions[row, head][here].tolist() == [place for place, *_ in rows]
                if not rows:
                    continue
                assert torch.equal(keys[row, head][here], torch.stack([key for _, key, _, _ in rows]))
                assert torch.equal(values[row, head][here], torch.stack([value for _, _, value, _ in rows]))
                figures = layer.figures["figure"][row, head][here].tolist()
                assert figures == [pytest.approx(figure) for *_, figure in rows]
        assert layer.longest() == max(len(rows) for heads in self.plain.heads for rows in heads) or not layer.holes
        assert layer.nbytes() == _reached(layer)

    def attend(self) -> None:
        """One query a sequence, and several at the last places, against plain loops."""
        for time in (1, 3):
            queries = torch.randn(len(self.plain.heads), 2 * HEADS, time, DIM, generator=self.random)
            places = torch.tensor(self.plain.seen)[:, None] - time + torch.arange(time)
            out, mass = self.layer.attend(queries, places.clamp(min=-1), 0.7, mass=True)
            for row, heads in enumerate(self.plain.heads):
                for head in range(2 * HEADS):
                    for at in range(time):
                        rows = [one for one in heads[head // 2] if one[0] <= int(places[row, at])]
                        wanted = _attention(queries[row, head, at], rows)
                        assert torch.allclose(out[row, head, at], wanted, atol=1e-5)
            real = torch.stack([places[row] >= 0 for row in range(len(places))]).sum(-1)
            assert mass.shape == self.layer.positions().shape
            assert bool((mass[self.layer.positions() < 0] == 0).all())
            assert float(mass.sum()) <= float(real.sum()) * 2 * HEADS + 1e-3


def _attention(query, rows):
    if not rows:
        return torch.zeros(DIM)
    keys, values = torch.stack([key for _, key, _, _ in rows]), torch.stack([value for _, _, value, _ in rows])
    return (keys @ query * 0.7).softmax(0) @ values


def _reached(layer: Layer) -> int:
    """Bytes of the storages of all tensors that can be reached from a layer."""
    found, seen, waiting = {}, set(), [layer]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            found[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        else:
            waiting.extend(gc.get_referents(one))
    return sum(found.values())


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 9), st.lists(st.integers(0, 9), min_size=3, max_size=3)),
        st.tuples(st.just("append"), st.just(1), st.just([0, 0, 0])),
        st.tuples(st.just("cut")),
        st.tuples(st.just("seal")),
        st.tuples(st.just("fork")),
        st.tuples(st.just("choose"), st.lists(st.integers(0, 2), min_size=1, max_size=3)),
    ),
    max_size=10,
)


@given(_STEPS, st.booleans(), st.integers(0, 5), st.integers(1, 14), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_a_layer_holds_what_lists_hold(steps, sealing, residual, prompt, seed):
    """After any order of what is done to a cache; a fork is held beside its original, and both still agree."""
    pair = Pair(Layer(SLOTS, RAW, sealing, residual), Plain(3), torch.Generator().manual_seed(seed))
    pair.append(prompt, [0, prompt // 2, prompt - 1])
    left = []
    for name, *arguments in steps:
        if name == "seal":
            pair.layer.seal()
        elif name == "fork":
            left.append(pair)
            pair = pair.fork()
        elif name == "choose":
            pair.choose([row % len(pair.plain.heads) for row in arguments[0]])
        else:
            getattr(pair, name)(*arguments)
        pair.agree()
    for one in (*left, pair):
        one.agree()
        one.attend()


def _rows(batch: int, time: int):
    random = torch.Generator().manual_seed(time)
    keys, values = (torch.randn(batch, HEADS, time, DIM, generator=random) for _ in range(2))
    return keys, values, torch.arange(time).expand(batch, HEADS, -1).clone()


@pytest.mark.parametrize("time", [1, SLOTS - 1, SLOTS, SLOTS + 1, 3 * SLOTS])
def test_a_segment_gives_back_its_rows(time):
    keys, values, positions = _rows(2, time)
    segment = Segment.of(RAW, SLOTS, keys, values, positions)
    got = [part[:, :, :time] for part in segment.dense()]
    assert torch.equal(got[0], keys) and torch.equal(got[1], values)
    assert segment.columns == -(-time // SLOTS) * SLOTS and len(segment.pages) == 4 * segment.table.shape[-1]


def test_a_short_head_takes_no_pages_of_a_long_one():
    """Bytes follow the rows of each head: 9 rows and 2 rows of 4 slots take 3 and 1 pages."""
    keys, values, positions = _rows(1, 9)
    positions[0, 1, 2:] = -1
    segment = Segment.of(RAW, SLOTS, keys, values, positions)
    assert len(segment.pages) == 4
    assert unique_bytes(segment.pages.tensors()) == 4 * SLOTS * 2 * DIM * 4
    assert (segment.table >= 0).sum(-1).tolist() == [[3, 1]]


def test_absent_slots_repeat_rows_of_their_page():
    """So that a codec's statistics are those of the rows, on whichever side they are missing."""
    seen = []

    class Watching(type(RAW)):
        def encode_keys(self, rows, positions):
            seen.append((rows, positions))
            return super().encode_keys(rows, positions)

    keys, values, positions = _rows(1, 2 * SLOTS)
    positions[0, :, :2], positions[0, 0, 6:] = -1, -1
    Segment.of(Watching(), SLOTS, keys, values, positions)
    [(rows, where)] = seen
    for page, places in zip(rows, where, strict=True):
        real = [row.tolist() for row, place in zip(page, places, strict=True) if place >= 0]
        assert all(row.tolist() in real for row in page)
        assert [row.tolist() for row, place in zip(page, places, strict=True) if place >= 0] == real


def test_segments_are_joined_in_order():
    keys, values, positions = _rows(2, 12)
    one = Segment.of(RAW, SLOTS, keys[:, :, :8], values[:, :, :8], positions[..., :8])
    other = Segment.of(RAW, SLOTS, keys[:, :, 8:], values[:, :, 8:], positions[..., 8:])
    both = one.joined(other)
    assert torch.equal(both.dense()[0], keys) and torch.equal(both.positions, positions.int())


def test_sequences_share_pages_until_half_are_left_behind():
    """Three of one sequence hold its pages once; one of four drops those of the others."""
    keys, values, positions = _rows(4, 8)
    segment = Segment.of(RAW, SLOTS, keys, values, positions)
    assert segment.chosen(torch.arange(4)) is segment
    assert segment.chosen(torch.tensor([0, 1, 2, 2, 2])).pages is segment.pages
    alone = segment.chosen(torch.tensor([3, 3, 3]))
    assert len(alone.pages) == 2 * HEADS
    assert torch.equal(alone.dense()[0], keys[3:].expand(3, -1, -1, -1))


def test_a_fork_shares_what_is_sealed_and_copies_the_tail():
    pair = Pair(Layer(SLOTS, RAW, True), Plain(1), torch.Generator().manual_seed(0))
    pair.append(10, [0])
    pair.layer.seal()
    fork = pair.layer.fork()
    assert fork.segments[0].pages is pair.layer.segments[0].pages
    assert fork.tail.keys.data_ptr() != pair.layer.tail.keys.data_ptr()
    own = unique_bytes([*pair.layer.tensors(), *fork.tensors()])
    assert own < 2 * pair.layer.nbytes()


@pytest.mark.parametrize("codec", ["raw", "int8", "int4", "int2"])
def test_mere_padding_goes(codec):
    """Columns that are padding in every sequence go, and what comes after is there."""
    layer = Layer(16, load("codec", codec)(), sealing=True)
    keys, values = torch.randn(2, HEADS, 40, 16), torch.randn(2, HEADS, 40, 16)
    places = torch.full((2, 40), -1)
    places[:, 38:] = torch.arange(2)
    layer.append(keys, values, places, {})
    layer.seal()
    assert layer.columns == 8 and (layer.positions() >= 0).sum(-1).unique().tolist() == [2]
    assert torch.equal(layer.dense()[0], keys[:, :, 32:])
    out, _ = layer.attend(torch.randn(2, HEADS, 1, 16), torch.tensor([[1], [1]]), 1.0)
    assert bool(out.isfinite().all())


def test_bytes_are_counted_once_for_a_storage():
    rows = torch.zeros(10)
    assert unique_bytes([rows, rows[2:5], rows.view(5, 2), torch.zeros(3)]) == 52


def test_taken_pages_are_those():
    keys, values, positions = _rows(1, 8)
    pages = Pages.of(RAW, keys[0], values[0], positions[0])
    assert torch.equal(pages.taken(torch.tensor([1])).fetch()[0], keys[0, 1:])


def test_a_head_whose_first_pages_are_missing_is_read_where_it_lies():
    """Padding that fills whole pages leaves none there, and what comes after stays in its columns."""
    pair = Pair(Layer(SLOTS, RAW, True), Plain(2), torch.Generator().manual_seed(0))
    pair.append(4 * SLOTS, [0, 2 * SLOTS + 1])
    pair.layer.seal()
    pair.agree()
    pair.attend()


def test_ragged_heads_that_are_all_new_go_into_no_page():
    """Fewer rows than stay out of pages, and not as many in each head: figures stay with their rows."""
    pair = Pair(Layer(SLOTS, RAW, True, 5), Plain(2), torch.Generator().manual_seed(0))
    pair.append(4, [0, 2])
    pair.cut()
    assert not pair.layer.segments
    pair.agree()
    pair.attend()
