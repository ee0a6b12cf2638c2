"""Txtai, in an environment of its own: see bench/peers/adapters/txtai.py for what of it is measured."""

from memspan.bench.peers.client import Peer
from memspan.bench.peers.pins import pin


class Txtai(Peer):
    """Another system, told and asked the same."""

    name = "txtai"
    title = pin(name).title


SYSTEM = Txtai
