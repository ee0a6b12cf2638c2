"""How each peer is spoken to. A file here is run by the peer's own Python; only standard library and the peer."""
