"""Does memory follow when facts change? Generated streams, and facts that a later one contradicts."""
