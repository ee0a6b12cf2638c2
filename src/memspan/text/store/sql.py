"""What a store needs of a database connection: the few calls that SQLite and PostgreSQL both answer.

The rows' SQL is written once, in the words both speak. A connection gives the two things they say differently: how
rows are numbered, and how a long result is read piece by piece.
"""

from collections.abc import Iterator
from typing import Any, Literal, Protocol

Numbered = Literal["turn", "record", "link", "change"]
"""Tables whose rows carry a number that is never given twice."""


class Cursor(Protocol):
    """The rows of one statement."""

    @property
    def get(self) -> Any:  # Any: the engine's own types, here and below
        """The only column of the only row, None where there is no row."""

    def fetchone(self) -> Any:
        """The next row as a tuple, None after the last."""

    def fetchall(self) -> Any:
        """All rows that are left, a list of tuples."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """One connection, inside a transaction.

    Values stand as `?` with a sequence or as `:name` with a mapping. Every statement names the scope it works in.
    in_order: said behind a table's name where its rows are wanted by their number, so that no other index is taken
    """

    in_order: str

    def execute(self, sql: str, values: Any = (), /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, rows: Any, /) -> Any:
        """Run one statement with each of the rows of values."""

    def stream(self, sql: str, values: Any, /) -> Iterator[Any]:
        """The rows of a query that may be long; they are not all in memory at once."""

    def total_changes(self) -> int:
        """How many rows this connection has inserted, updated or deleted so far."""

    def last_seq(self, table: Numbered, scope: int) -> int:
        """The highest number that a row of the table ever had, 0 where it had none."""

    def took(self, table: Numbered, scope: int, last: int) -> None:
        """Say that numbers up to this one are taken."""
