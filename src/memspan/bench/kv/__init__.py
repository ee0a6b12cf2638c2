"""How much a model still knows when its cache is compressed: ours and kvpress, in one table."""
