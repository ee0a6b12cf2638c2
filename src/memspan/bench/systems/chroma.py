"""Chroma, in an environment of its own: see bench/peers/adapters/chroma.py for what of it is measured."""

from memspan.bench.peers.client import Peer
from memspan.bench.peers.pins import pin


class Chroma(Peer):
    """Another system, told and asked the same."""

    name = "chroma"
    title = pin(name).title


SYSTEM = Chroma
