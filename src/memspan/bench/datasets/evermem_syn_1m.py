"""evermem-syn-1m: the highest rung of evermem-syn, a million facts, apart so that nobody runs it by accident."""

from memspan.bench.datasets.evermem_syn import rung

SETS = (rung("1m", 1_000_000),)
