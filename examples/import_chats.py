"""Read conversations from a file and remember them in batches.

python examples/import_chats.py [FILE]
"""

import sys
import tempfile
from itertools import islice
from pathlib import Path

from memspan import Memory
from memspan.text.read import read

NOTES = """Ana: Did you water the tomatoes?
Tom: On Monday. The one behind the shed died, though.
Ana: Then we plant beans there in April.
"""

with tempfile.TemporaryDirectory() as folder:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "garden.txt"
    if len(sys.argv) == 1:
        path.write_text(NOTES, encoding="utf-8")
    with Memory(Path(folder) / "garden.mem", scope="me") as memory:
        turns = read(path)
        while batch := list(islice(turns, 1000)):
            made = memory.remember(batch)
            print(f"{made.added} new, {made.known} known, {made.cost.seconds * 1000:.0f} ms")
        for hit in memory.recall("What grows behind the shed?", tokens=100):
            print(f"{hit.score:5.2f}  {hit.speaker}: {hit.text}")
