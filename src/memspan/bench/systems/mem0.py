"""Mem0, in an environment of its own: see bench/peers/adapters/mem0.py for what of it is measured."""

from memspan.bench.peers.client import Peer
from memspan.bench.peers.pins import pin


class Mem0(Peer):
    """Another system, told and asked the same."""

    name = "mem0"
    title = pin(name).title


SYSTEM = Mem0
