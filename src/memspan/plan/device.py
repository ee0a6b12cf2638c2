"""Devices as cost models see them: memory, bandwidth, arithmetic and the link to the host, each with its source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from memspan.core.errors import UsageError

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device. memory: it holds [bytes];  bandwidth: of that memory [bytes/s]

    flops: 16-bit multiply-adds counted as two, dense, at best [1/s];  link: to the host's memory, one way [bytes/s]
    batch1_share: of the bandwidth that decoding one sequence was measured to use [0..1]; None: not known
    source: where the figures stand
    """

    name: str
    memory: int
    bandwidth: float
    flops: float
    link: float
    batch1_share: float | None = None
    source: str = ""


_CHEN = "share: Chen 2026, arXiv:2605.30571, Qwen-2.5-7B in bf16 at 2,048 tokens"

DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        Device(
            name="T4", memory=16 * GIB, bandwidth=320e9, flops=65e12, link=16e9,
            source="NVIDIA T4 datasheet; PCIe 3.0 x16",
        ),
        Device(
            name="A100-80", memory=80 * GIB, bandwidth=2.039e12, flops=312e12, link=32e9,
            source="NVIDIA A100 80GB SXM datasheet; PCIe 4.0 x16",
        ),
        Device(
            name="H100", memory=80 * GIB, bandwidth=3.35e12, flops=989e12, link=64e9, batch1_share=0.27,
            source=f"NVIDIA H100 SXM datasheet, without sparsity; PCIe 5.0 x16; {_CHEN}",
        ),
        Device(
            name="L4", memory=24 * GIB, bandwidth=300e9, flops=121e12, link=32e9, batch1_share=0.81,
            source=f"NVIDIA L4 datasheet, without sparsity; PCIe 4.0 x16; {_CHEN}",
        ),
        Device(
            name="RTX-4090", memory=24 * GIB, bandwidth=1.008e12, flops=165.2e12, link=32e9,
            source="NVIDIA Ada whitepaper, fp16 with fp32 sums, without sparsity; PCIe 4.0 x16",
        ),
        Device(
            name="desktop", memory=64 * GIB, bandwidth=89.6e9, flops=1.15e12, link=89.6e9,
            source="computed: two channels of DDR5-5600, 8 bytes each; 8 cores, 4.5 GHz, 32 fp32 operations a cycle",
        ),
    )
}  # fmt: skip
"""Bandwidths and operations are the makers' peaks; nobody reaches them. Memory is what is soldered on, less the
driver's share; the `desktop` is a choice of ours, not a product."""


def several(device: Device, count: int) -> Device:
    """So many of them as one, as if splitting a model cost nothing. Raises UsageError where count < 1.

    >>> several(DEVICES["L4"], 2).bandwidth
    600000000000.0
    """
    if count < 1:
        raise UsageError(f"{count} devices: there has to be one")
    if count == 1:
        return device
    return replace(
        device, name=f"{count} x {device.name}", memory=count * device.memory, bandwidth=count * device.bandwidth,
        flops=count * device.flops, link=count * device.link, batch1_share=None,
    )  # fmt: skip
