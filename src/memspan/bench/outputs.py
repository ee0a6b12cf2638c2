"""What a run leaves in its folder for readers: a page, tables, plots, and the result for programs."""

import json
from pathlib import Path

from memspan.bench.page import write as write_page
from memspan.bench.plots import write as write_plots
from memspan.bench.report import Result
from memspan.bench.tables import markdown
from memspan.core.errors import MissingExtra


def write(result: Result, out: Path) -> tuple[str, str]:
    """Write everything into the folder; the tables, and what could not be written, for want of what."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (out / "result.json").write_text(text, encoding="utf-8")
    tables = markdown(result)
    (out / "report.md").write_text(tables, encoding="utf-8")
    write_page(result, out / "report.html")
    try:
        write_plots(result, out / "plots")
    except MissingExtra as why:
        return tables, f"No plots: {why}"
    return tables, ""
