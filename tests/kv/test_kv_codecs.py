"""Pages of keys and values come back as closely as their codec promises."""

from dataclasses import FrozenInstanceError

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from memspan import load, methods  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.store.codec import Codec, joined  # noqa: E402
from memspan.kv.store.huffman import LONGEST, code_lengths  # noqa: E402
from memspan.kv.store.levels import fit_levels  # noqa: E402
from memspan.kv.store.packing import pack, unpack, unpack_floats  # noqa: E402

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
AFFINE = {"int8": 8, "int4": 4, "int2": 2}
EVERY = ["raw", *AFFINE, "nuq", "channels", "dfloat11", "unrotated"]


def codec_of(name, **chosen):
    """The codec of that name."""
    return load("codec", name)(**chosen)


def page_rows(pages, slots, dim, dtype, seed, spread=3.0):
    """Normal rows, each channel with a mean and a spread of its own."""
    torch.manual_seed(seed)
    rows = torch.randn(pages, slots, dim) * torch.rand(dim).mul(spread) + torch.randn(dim) * spread
    return rows.to(dtype)


def places(rows):
    """Positions of full pages."""
    pages, slots, _ = rows.shape
    return torch.arange(pages * slots, dtype=torch.int32).view(pages, slots)


def there_and_back(codec, rows, side, where=None):
    """Parts of the rows and what they decode to."""
    parts = getattr(codec, f"encode_{side}")(rows, places(rows) if where is None else where)
    return parts, getattr(codec, f"decode_{side}")(parts, rows.dtype)


FEW = settings(max_examples=20)
shapes = st.tuples(st.integers(1, 5), st.sampled_from([8, 16]), st.sampled_from([1, 3, 16, 48]))
sides = st.sampled_from(["keys", "values"])


def test_every_codec_is_found_and_keeps_the_protocol():
    """The files of the folder are the codecs; each is frozen, comparable and described."""
    assert set(EVERY) <= set(methods("codec"))
    for name in methods("codec"):
        codec = codec_of(name)
        assert isinstance(codec, Codec) and codec == codec_of(name) and codec.card.title
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            codec.card = None


@FEW
@given(bits=st.sampled_from([1, 2, 3, 4, 8]), pages=st.integers(0, 4), dim=st.integers(1, 9), seed=st.integers(0, 99))
def test_what_is_packed_comes_out_again(bits, pages, dim, seed):
    """In as many bytes as the bits fill."""
    torch.manual_seed(seed)
    codes = torch.randint(0, 1 << bits, (pages, 16, dim), dtype=torch.uint8)
    packed = pack(codes, bits)
    assert packed.numel() * 8 == codes.numel() * bits
    assert torch.equal(unpack(packed, bits), codes)
    assert torch.equal(unpack_floats(packed, bits), codes.float())


def test_slots_that_fill_no_byte_are_refused():
    """With the multiple that would do."""
    with pytest.raises(UsageError, match="multiple of 4"):
        codec_of("int2").encode_keys(torch.zeros(1, 6, 4), torch.zeros(1, 6, dtype=torch.int32))


@FEW
@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 999), side=sides)
def test_raw_is_exact(shape, dtype, seed, side):
    """And its parts are no view of what came in."""
    rows = page_rows(*shape, dtype, seed)
    parts, back = there_and_back(codec_of("raw"), rows, side)
    assert torch.equal(back, rows)
    assert parts["rows"].data_ptr() != rows.data_ptr()


@pytest.mark.parametrize("name", AFFINE)
@FEW
@given(shape=shapes, seed=st.integers(0, 999), side=sides, spread=st.sampled_from([0.0, 1e-6, 1.0, 5e3]))
def test_nothing_is_further_than_half_a_step(name, shape, seed, side, spread):
    """The step is the stored one; float32 rounding of the largest number aside."""
    rows = page_rows(*shape, torch.float32, seed, spread)
    parts, back = there_and_back(codec_of(name), rows, side)
    steps = parts["scales"].float()
    assert ((back - rows).abs() <= steps / 2 + rows.abs().max() * 2**-21).all()
    least = _spread(rows, side) / (2 ** AFFINE[name] - 1)
    assert (steps <= least * (1 + 2**-9) + rows.abs().max() * 2**-10 + 2**-23).all()


def _spread(rows, side):
    axis = 1 if side == "keys" else 2
    return rows.amax(axis, keepdim=True) - rows.amin(axis, keepdim=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", AFFINE)
def test_half_precision_keeps_its_dtype_in_the_scales(name, dtype):
    """And the error adds no more than the rounding of what comes out."""
    rows = page_rows(4, 16, 48, dtype, 1)
    for side in ("keys", "values"):
        parts, back = there_and_back(codec_of(name), rows, side)
        assert {parts["scales"].dtype, parts["zeros"].dtype, back.dtype} == {dtype}
        room = parts["scales"].float() / 2 + rows.float().abs().max() * torch.finfo(dtype).eps
        assert ((back.float() - rows.float()).abs() <= room).all()


@pytest.mark.parametrize("name", AFFINE)
def test_groups_of_channels_have_scales_of_their_own(name):
    """One wild channel spoils its group only."""
    rows = page_rows(2, 16, 64, torch.float32, 0, 0.1)
    rows[..., 0] = 1000.0
    alone, back = there_and_back(codec_of(name, group=16), rows, "values")
    assert alone["scales"].shape == (2, 16, 4)
    _, together = there_and_back(codec_of(name), rows, "values")
    quiet = slice(16, None)
    assert (back - rows)[..., quiet].abs().max() < (together - rows)[..., quiet].abs().max() / 3
    with pytest.raises(UsageError, match="divisor of 64"):
        codec_of(name, group=48).encode_values(rows, places(rows))


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e8])
def test_rows_that_are_no_numbers_or_too_large_are_refused(name, bad):
    """The error names the codec that holds them."""
    rows = torch.zeros(2, 16, 8)
    rows[1, 3, 2] = bad
    for side in ("keys", "values"):
        with pytest.raises(UsageError, match="raw"):
            there_and_back(codec_of(name), rows, side)


@pytest.mark.parametrize("name", AFFINE)
@FEW
@given(value=st.floats(-6e4, 6e4, width=16))
def test_a_constant_that_float16_holds_is_exact(name, value):
    """Its zero is itself, its scale nothing."""
    rows = torch.full((1, 16, 8), value)
    for side in ("keys", "values"):
        assert torch.equal(there_and_back(codec_of(name), rows, side)[1], rows)


PADDED = {"stream", "symbols", "bits"}


@pytest.mark.parametrize("name", EVERY)
@FEW
@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 99), side=sides)
def test_a_page_is_coded_alike_alone_and_among_others(name, shape, dtype, seed, side):
    """Parts of some of the pages are some of the parts, zeros that pad aside; no page at all is no part at all."""
    rows = page_rows(*shape, torch.bfloat16 if name == "dfloat11" else dtype, seed)
    dtype = rows.dtype
    codec = codec_of(name)
    parts, _ = there_and_back(codec, rows, side)
    assert {part.shape[0] for part in parts.values()} == {len(rows)}
    for some in (slice(0, 0), slice(0, 1), slice(1, None, 2)):
        alone, back = there_and_back(codec, rows[some], side, places(rows)[some])
        assert back.shape == rows[some].shape
        for key, part in alone.items():
            among = parts[key][some]
            assert torch.equal(part, among[:, : part.shape[1]] if key in PADDED else among)
            assert key not in PADDED or not among[:, part.shape[1] :].any()
        assert torch.equal(back, getattr(codec, f"decode_{side}")({k: p[some] for k, p in parts.items()}, dtype))


BITS = {"raw": (32, 32), "int8": (10, 8.5), "int4": (6, 4.5), "int2": (4, 2.5), "channels": (32 * 39 / 64 + 0.5, 32)}
NUQ_BITS = 16 * 16 / 1024 + 10 * (32 + 16) / 1024  # levels, and 10 outliers with their places
BITS["nuq"] = (6 + NUQ_BITS, 4.5 + NUQ_BITS)


@pytest.mark.parametrize("name", sorted(BITS))
def test_a_page_takes_the_bits_it_promises(name):
    """Keys and values of 16 slots and 64 channels, in bits a number; a scale and a zero are 32 bits."""
    rows = page_rows(3, 16, 64, torch.float32, 0)
    for side, bits in zip(("keys", "values"), BITS[name], strict=True):
        parts, _ = there_and_back(codec_of(name), rows, side)
        assert sum(part.nbytes for part in parts.values()) * 8 / rows.numel() == bits
        assert all(part.untyped_storage().nbytes() == part.nbytes for part in parts.values())


NUQ = st.builds(
    lambda bits, outliers, own: {"bits": bits, "outliers": outliers} | ({} if own else {"key_levels": even(bits)}),
    st.sampled_from([2, 3, 4]),
    st.sampled_from([0.0, 0.01, 0.2, 1.0]),
    st.booleans(),
)


def even(bits):
    """Levels in even steps."""
    return tuple(torch.linspace(-1, 1, 1 << bits).tolist())


@FEW
@given(shape=shapes, chosen=NUQ, seed=st.integers(0, 999), side=sides, dtype=st.sampled_from(DTYPES))
def test_nuq_keeps_outliers_and_takes_the_nearest_level(shape, chosen, seed, side, dtype):
    """No other level of the page would be nearer, and what was set aside is exact."""
    rows = page_rows(*shape, dtype, seed)
    parts, back = there_and_back(codec_of("nuq", **chosen), rows, side)
    flat, places = rows.flatten(1), parts["places"].long()
    assert places.shape[1] == round(chosen["outliers"] * flat.shape[1])
    assert torch.equal(back.flatten(1).gather(1, places), flat.gather(1, places))
    levels = parts["levels"].float() if "levels" in parts else torch.tensor(chosen["key_levels"]).expand(len(rows), -1)
    could = parts["middles"].float()[..., None] + parts["widths"].float()[..., None] * levels[:, None, None]
    best = (could - rows.float()[..., None]).abs().amin(-1)
    error = (back.float() - rows.float()).abs().flatten(1).scatter(1, places, 0)
    assert (error <= best.flatten(1) + rows.float().abs().max() * 2 * torch.finfo(dtype).eps + 1e-6).all()


def test_nuq_is_closer_than_even_steps_where_a_few_numbers_are_wild():
    """Half the squared error of int4 and less, on rows of which one in 200 is eight times as large."""
    rows = page_rows(64, 16, 64, torch.float32, 0)
    rows[torch.rand(rows.shape) < 0.005] *= 8
    for side in ("keys", "values"):
        _, even_steps = there_and_back(codec_of("int4"), rows, side)
        _, uneven = there_and_back(codec_of("nuq"), rows, side)
        assert (uneven - rows).square().mean() < (even_steps - rows).square().mean() / 2


def test_levels_that_weigh_more_are_nearer():
    """Weights draw the levels to what they weigh; calibrated levels are taken as given."""
    numbers = torch.linspace(-1, 1, 256)[None]
    weights = (numbers > 0.5) * 99.0 + 1
    plain, drawn = fit_levels(numbers, 2), fit_levels(numbers, 2, weights)
    assert (drawn > 0.5).sum() > (plain > 0.5).sum()
    rows = page_rows(2, 16, 8, torch.float32, 0)
    parts, _ = there_and_back(codec_of("nuq", bits=2, key_levels=tuple(drawn[0].tolist())), rows, "keys")
    assert "levels" not in parts


def test_nuq_refuses_what_it_cannot_hold():
    """A wrong number of levels, and numbers that are none."""
    rows = page_rows(2, 16, 8, torch.float32, 0)
    with pytest.raises(UsageError, match="levels"):
        there_and_back(codec_of("nuq", bits=3, key_levels=(0.0, 1.0)), rows, "keys")
    rows[0, 0, 0] = float("nan")
    with pytest.raises(UsageError, match="raw"):
        there_and_back(codec_of("nuq"), rows, "keys")


@FEW
@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 999), keep=st.integers(1, 50))
def test_kept_channels_are_exact_and_the_others_zero(shape, dtype, seed, keep):
    """Those with the largest mean square over the rows that are there; values whole."""
    rows = page_rows(*shape, dtype, seed)
    codec, positions = codec_of("channels", keep=keep), places(rows)
    positions[:, -1] = -1
    back = codec.decode_keys(codec.encode_keys(rows, positions), dtype)
    kept = (back == rows).all(dim=1)
    assert (kept | (back == 0).all(dim=1)).all() and (kept.sum(dim=1) >= min(keep, rows.shape[2])).all()
    weights = rows[:, :-1].float().square().sum(1)
    lost = weights.masked_fill(kept, 0).amax(1)
    assert (weights.masked_fill(~kept, torch.inf).amin(1) >= lost * (1 - 1e-5)).all()
    assert torch.equal(there_and_back(codec, rows, "values")[1], rows)


def test_scores_choose_the_channels():
    """Whoever has the queries has the say; kept channels come first, ascending."""
    rows = page_rows(2, 16, 8, torch.float32, 0)
    scores = torch.arange(8.0).flip(0).expand(2, 8)
    parts = codec_of("channels", keep=3).encode_keys(rows, places(rows), scores=scores)
    assert parts["channels"].tolist() == [list(range(8))] * 2
    assert torch.equal(parts["rows"], rows[..., :3])
    with pytest.raises(UsageError, match="each page and channel"):
        codec_of("channels").encode_keys(rows, places(rows), scores=scores[0])
    with pytest.raises(UsageError, match="at least one"):
        codec_of("channels", keep=0).encode_keys(rows, places(rows))


def test_more_than_256_channels_have_wider_numbers():
    """Channel 299 does not become channel 43."""
    rows = torch.zeros(1, 2, 300)
    rows[..., 299] = 5.0
    assert torch.equal(there_and_back(codec_of("channels", keep=1), rows, "keys")[1], rows)


@FEW
@given(
    words=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=40),
    shape=st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 16]), st.sampled_from([1, 5, 48])),
    seed=st.integers(0, 99),
)
def test_dfloat11_gives_every_bit_back(words, shape, seed):
    """Any pattern of bits: NaN with its payload, infinity, -0.0, pages of one exponent."""
    torch.manual_seed(seed)
    drawn = torch.tensor(words, dtype=torch.int16)[torch.randint(len(words), shape)]
    _, back = there_and_back(codec_of("dfloat11"), drawn.view(torch.bfloat16), "keys")
    assert torch.equal(back.view(torch.int16), drawn)


def test_dfloat11_takes_what_it_promises_and_refuses_what_it_would_lose():
    """Normal rows take 71 % of bfloat16, all 256 exponents at once fit too; float32 is refused."""
    rows = page_rows(520, 16, 64, torch.bfloat16, 0)  # more than one block
    parts, back = there_and_back(codec_of("dfloat11"), rows, "values")
    assert torch.equal(back, rows)
    assert 0.66 < sum(part.nbytes for part in parts.values()) / rows.nbytes < 0.75
    every = (torch.arange(1024).view(1, 16, 64) * 64 - 2**15).to(torch.int16).view(torch.bfloat16)
    assert torch.equal(
        there_and_back(codec_of("dfloat11"), every, "keys")[1].view(torch.int16), every.view(torch.int16)
    )
    with pytest.raises(UsageError, match="bfloat16 only"):
        there_and_back(codec_of("dfloat11"), rows.float(), "keys")


@FEW
@given(st.lists(st.integers(0, 500), min_size=1, max_size=40).filter(any))
def test_codes_are_as_short_as_huffman_makes_them(counts):
    """The sum of the merged weights is what Huffman's tree costs; where no code wants to be long, ours costs that."""
    lengths = code_lengths(torch.tensor([counts]))[0]
    used = torch.tensor(counts) > 0
    assert ((lengths > 0) == used).all() and (0.5 ** lengths[used]).sum() <= 1
    heap, depth, cost = sorted(count for count in counts if count), 0, 0
    while len(heap) > 1:
        first, second, *heap = heap
        cost += first + second
        heap = sorted([*heap, first + second])
    depth = lengths.max().item()
    ours = int((lengths * torch.tensor(counts)).sum())
    assert ours >= cost and (depth >= LONGEST or ours == (cost or sum(counts)))


@pytest.mark.parametrize("name", ["int4", "nuq", "int8"])
def test_blocks_of_pages_change_nothing(name):
    """More pages than a block holds come back as they do one block at a time."""
    rows = page_rows(600, 16, 8, torch.bfloat16, 0)
    for side in ("keys", "values"):
        parts, back = there_and_back(codec_of(name), rows, side)
        alone = [there_and_back(codec_of(name), some, side)[1] for some in rows.split(100)]
        assert torch.equal(back, torch.cat(alone))
        assert getattr(codec_of(name), f"decode_{side}")(parts, torch.float16).dtype == torch.float16


@pytest.mark.parametrize("name", EVERY)
def test_pages_coded_apart_can_be_joined(name):
    """Even where one batch's codes are longer than the other's."""
    rows = page_rows(4, 16, 48, torch.bfloat16, 0)
    rows[1] = 1.0
    rows[2] = rows[2] * torch.logspace(-30, 30, 48)
    codec = codec_of(name)
    for side in ("keys", "values"):
        if name not in ("raw", "channels", "dfloat11"):
            rows[2] = 0.0
        together = joined([there_and_back(codec, some, side)[0] for some in rows.split([2, 1, 1])])
        assert torch.equal(getattr(codec, f"decode_{side}")(together, rows.dtype), there_and_back(codec, rows, side)[1])
