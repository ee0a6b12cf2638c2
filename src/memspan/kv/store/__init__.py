"""Pages of keys and values: pools, layers, tiers, shared prefixes."""
