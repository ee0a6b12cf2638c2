"""FlexGen: which share of weights, cache and activations lies on the device, in the host's memory and on disk.

Source: Sheng et al. 2023, "FlexGen: High-Throughput Generative Inference of Large Language Models with a Single GPU",
arXiv:2303.06865, section 4.3, and its code (FMInference/FlexiGen, experimental/cost_model.py): a linear programme over
the shares, minimising the time of a block of batches; moving and computing overlap, so a layer takes the longest of
them, and in decoding what comes up to the device is waited for.
Ours differs: any shape with grouped heads and any cache format; one bandwidth for each direction; peak memory is that
of prefill, the larger; activations never lie on disk, as in the code.
Against what it measured on a T4 (tokens/s): OPT-30B 7.0 to 7.2 for 7.32; OPT-175B .55 for .69, with a disk of 2 GB/s.
Reading the device's own memory is not in the model: OPT-6.7B, two requests at once, comes out at 61 for 25.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from memspan.core.errors import UsageError
from memspan.plan.cache import RAW, Codec, ModelShape, cache_bytes, weight_bytes
from memspan.plan.simplex import Programme

GIB = 2**30

_W, _C, _H, _PREFILL, _DECODE, _WIDTH = 0, 3, 6, 8, 9, 10
"""Where the variables stand: three shares of the weights, three of the cache, two of the activations, two times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Three tiers. device, host, disk: room [bytes];  usable: share of it that may be planned for [0..1]

    up, down: host to device and back [bytes/s];  read, write: disk to host and back [bytes/s]
    prefill_flops, decode_flops: of matrices on the device;  prefill_attention, decode_attention: of attention there
    host_attention: of attention beside a cache that is not on the device [1/s]
    """

    device: float
    host: float
    disk: float
    up: float
    down: float
    read: float
    write: float
    prefill_flops: float
    decode_flops: float
    prefill_attention: float
    decode_attention: float
    host_attention: float
    usable: float = 0.8


# what the code fitted to a T4 with 208 GB of memory and a disk in Google's cloud; its cache figures for down and write
T4 = Machine(
    device=15 * GIB, host=204 * GIB, disk=1500 * GIB, up=12.89 * GIB, down=0.97 * GIB, read=0.473 * GIB,
    write=0.746 * GIB, prefill_flops=21.24e12, decode_flops=4.3e12, prefill_attention=9.97e12,
    decode_attention=0.079e12, host_attention=0.0123e12,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Many requests alike. prompt, generated: of each [tokens];  at_once: run through a layer together

    block: requests that share a layer's weights before the next layer's are fetched, a multiple of at_once
    """

    prompt: int
    generated: int
    at_once: int
    block: int

    def __post_init__(self) -> None:
        if min(self.prompt, self.generated, self.at_once) < 1 or self.block < 1 or self.block % self.at_once:
            raise UsageError(f"{self}: all numbers are 1 or more, block a multiple of at_once")


@dataclass(frozen=True, slots=True)
class Placement:
    """Shares (device, host, disk) of weights and cache, (device, host) of activations; and what comes of them.

    prefill_s, decode_s: of the whole block [s];  tokens_a_second: generated, of the whole block
    """

    job: Job
    weights: tuple[float, float, float]
    cache: tuple[float, float, float]
    activations: tuple[float, float]
    prefill_s: float
    decode_s: float
    tokens_a_second: float


def place(
    shape: ModelShape, job: Job, machine: Machine, *, weight_bits: float = 16, codec: Codec = RAW
) -> Placement | None:
    """The fastest placement, or None where nothing fits.

    >>> small = ModelShape(layers=24, heads=16, kv_heads=16, head_dim=64, params=300_000_000)
    >>> placed = place(small, Job(prompt=512, generated=32, at_once=4, block=4), T4)
    >>> placed.weights, placed.cache  # all on the device
    ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    """
    sizes = _Sizes(shape, job, weight_bytes(shape, weight_bits) / shape.layers, cache_bytes(shape, 1, codec))
    programme = Programme([*[0.0] * _PREFILL, float(shape.layers), float(shape.layers * (job.generated - 1))])
    for start, count in ((_W, 3), (_C, 3), (_H, 2)):
        programme.exactly(_row({start + tier: 1.0 for tier in range(count)}), 1.0)
    _times(programme, sizes, machine)
    _room(programme, sizes, machine)
    found = programme.solve()
    if found is None:
        return None
    prefill, decode = shape.layers * found[_PREFILL], shape.layers * (job.generated - 1) * found[_DECODE]
    shares = [round(share, 6) + 0.0 for share in found]
    return Placement(
        job,
        (shares[0], shares[1], shares[2]),
        (shares[3], shares[4], shares[5]),
        (shares[6], shares[7]),
        prefill,
        decode,
        job.block * job.generated / (prefill + decode),
    )


def best(
    shape: ModelShape, jobs: Iterable[Job], machine: Machine, *, weight_bits: float = 16, codec: Codec = RAW
) -> Placement:
    """The placement of the job with the most tokens a second. Raises UsageError where none of them fits."""
    placed = [place(shape, job, machine, weight_bits=weight_bits, codec=codec) for job in jobs]
    fitting = [made for made in placed if made is not None]
    if not fitting:
        raise UsageError(f"none of {len(placed)} jobs fits the machine; try smaller batches or fewer bits")
    return max(fitting, key=lambda made: made.tokens_a_second)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes and operations of one layer. weights: of it;  token: a token's cache in all layers"""

    shape: ModelShape
    job: Job
    weights: float
    token: float

    @property
    def kv(self) -> float:
        """Of one token of one request."""
        return self.token / self.shape.layers

    @property
    def width(self) -> int:
        return self.shape.heads * self.shape.head_dim

    @property
    def matrices(self) -> float:
        """Operations of one token."""
        return 2.0 * self.shape.params / self.shape.layers


def _row(terms: dict[int, float]) -> list[float]:
    return [terms.get(at, 0.0) for at in range(_WIDTH)]


def _times(programme: Programme, sizes: _Sizes, machine: Machine) -> None:
    """A layer takes no less than each of what overlaps."""
    job, block = sizes.job, sizes.job.block
    for time, tokens, length in ((_PREFILL, job.prompt, job.prompt), (_DECODE, 1, job.prompt + job.generated / 2)):
        hidden = 2.0 * sizes.width * tokens * block
        fetched = {
            _W + 1: sizes.weights / machine.up, _W + 2: sizes.weights / machine.up, _H + 1: hidden / machine.up
        }  # fmt: skip
        if time == _PREFILL:
            made = sizes.kv * (job.prompt + 1) * block
            read = {_W + 2: sizes.weights / machine.read}
            sent = {_C + 1: made / machine.down, _C + 2: made / machine.down + made / machine.write}
            sent[_H + 1] = hidden / machine.down
            overlapping = [_sum(fetched, read), sent]
            counted, compute = _counted(sizes, machine.prefill_flops, tokens), {}
            counted += 4.0 * block * length**2 * sizes.width / machine.prefill_attention
        else:
            held = sizes.kv * length * block
            read = {_W + 2: sizes.weights / machine.read, _C + 2: held / machine.read}
            overlapping = [_sum(fetched, read), _sum(fetched, {_H + 1: hidden / machine.down})]
            overlapping.append(_sum(fetched, {_C + 2: sizes.kv * block / machine.write}))
            counted = _counted(sizes, machine.decode_flops, tokens)
            attention = 4.0 * block * length * sizes.width
            host = attention / machine.host_attention
            compute = _sum(fetched, {_C: attention / machine.decode_attention, _C + 1: host, _C + 2: host})
        for terms in overlapping:
            programme.at_most(_row({**terms, time: -1.0}), 0.0)
        programme.at_most(_row({**compute, time: -1.0}), -counted)


def _counted(sizes: _Sizes, flops: float, tokens: int) -> float:
    """Seconds of a layer's matrices for the whole block."""
    return sizes.job.block * tokens * sizes.matrices / flops


def _sum(one: dict[int, float], two: dict[int, float]) -> dict[int, float]:
    return {at: one.get(at, 0.0) + two.get(at, 0.0) for at in one.keys() | two.keys()}


def _room(programme: Programme, sizes: _Sizes, machine: Machine) -> None:
    """What lies on each tier and what a layer at work needs there."""
    job, layers = sizes.job, sizes.shape.layers
    whole, hidden = sizes.weights * layers, 2.0 * sizes.width * job.prompt
    cache = sizes.token * (job.prompt + job.generated) * job.block
    # a layer's weights twice over, one in use and one arriving; its activations as the code counts them
    working = job.at_once * (26.0 * job.prompt * sizes.width + 2.0 * sizes.shape.heads * job.prompt**2)
    device = {_W: whole - 2 * sizes.weights, _C: cache, _H: hidden * (job.block - job.at_once)}
    fixed = 2 * sizes.weights + hidden * job.at_once + working
    programme.at_most(_row(device), machine.usable * machine.device - fixed)
    passing = 2 * sizes.kv * (job.prompt + job.generated) * job.at_once
    host = {_W: -sizes.weights, _W + 1: whole, _C + 1: cache, _C + 2: passing, _H + 1: hidden * job.block}
    programme.at_most(_row(host), machine.usable * machine.host - sizes.weights)
    programme.at_most(_row({_W + 2: whole, _C + 2: cache}), machine.usable * machine.disk)
