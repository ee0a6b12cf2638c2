"""Pages of keys and values come back as closely as their codec promises."""

from dataclasses import FrozenInstanceError

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from memspan import load, methods  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.store.codec import Codec  # noqa: E402
from memspan.kv.store.packing import pack, unpack, unpack_floats  # noqa: E402

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
AFFINE = {"int8": 8, "int4": 4, "int2": 2}
EVERY = ["raw", *AFFINE]


def codec_of(name, dim=16, **settings):
    """The codec with settings that suit rows of that width."""
    return load("codec", name)(**settings)


def page_rows(pages, slots, dim, dtype, seed, spread=3.0):
    """Normal rows, each channel with a mean and a spread of its own."""
    torch.manual_seed(seed)
    rows = torch.randn(pages, slots, dim) * torch.rand(dim).mul(spread) + torch.randn(dim) * spread
    return rows.to(dtype)


def places(rows):
    """Positions of full pages."""
    pages, slots, _ = rows.shape
    return torch.arange(pages * slots, dtype=torch.int32).view(pages, slots)


def there_and_back(codec, rows, side):
    """Parts of the rows and what they decode to."""
    parts = getattr(codec, f"encode_{side}")(rows, places(rows))
    return parts, getattr(codec, f"decode_{side}")(parts, rows.dtype)


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


@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 999), side=sides)
def test_raw_is_exact(shape, dtype, seed, side):
    """And its parts are no view of what came in."""
    rows = page_rows(*shape, dtype, seed)
    parts, back = there_and_back(codec_of("raw"), rows, side)
    assert torch.equal(back, rows)
    assert parts["rows"].data_ptr() != rows.data_ptr()


@pytest.mark.parametrize("name", AFFINE)
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
@given(value=st.floats(-6e4, 6e4, width=16))
def test_a_constant_that_float16_holds_is_exact(name, value):
    """Its zero is itself, its scale nothing."""
    rows = torch.full((1, 16, 8), value)
    for side in ("keys", "values"):
        assert torch.equal(there_and_back(codec_of(name), rows, side)[1], rows)


@pytest.mark.parametrize("name", EVERY)
@given(shape=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 99), side=sides)
def test_a_page_is_coded_alike_alone_and_among_others(name, shape, dtype, seed, side):
    """Parts of some of the pages are some of the parts; no page at all is no part at all."""
    rows = page_rows(*shape, dtype, seed)
    codec = codec_of(name)
    parts, _ = there_and_back(codec, rows, side)
    assert {part.shape[0] for part in parts.values()} == {len(rows)}
    for some in (slice(0, 0), slice(0, 1), slice(1, None, 2)):
        alone, back = there_and_back(codec, rows[some], side)
        assert back.shape == rows[some].shape
        assert all(torch.equal(part, parts[key][some]) for key, part in alone.items())
        assert torch.equal(back, getattr(codec, f"decode_{side}")({k: p[some] for k, p in parts.items()}, dtype))


BITS = {"raw": (32, 32), "int8": (10, 8.5), "int4": (6, 4.5), "int2": (4, 2.5)}


@pytest.mark.parametrize("name", EVERY)
def test_a_page_takes_the_bits_it_promises(name):
    """Keys and values of 16 slots and 64 channels, in bits a number; a scale and a zero are 32 bits."""
    rows = page_rows(3, 16, 64, torch.float32, 0)
    for side, bits in zip(("keys", "values"), BITS[name], strict=True):
        parts, _ = there_and_back(codec_of(name), rows, side)
        assert sum(part.nbytes for part in parts.values()) * 8 / rows.numel() == bits
        assert all(part.untyped_storage().nbytes() == part.nbytes for part in parts.values())
