"""Rows into the database by the shortest way: by the thousand while catching up, and without delay at the newest block.

SQLAlchemy prepares each value of each row by itself, which costs more than SQLite's own work. Here a column is prepared
as a whole, by the same converters, and the driver gets the rows in one call.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from runtime.database import Transaction


async def insert_rows(
    tx: Transaction, table: sa.Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows whose values are in the order of ``names``; none is fine too."""
    if not rows:
        return
    statement, converters = _insert(table, names, tx.connection.dialect)
    columns = [
        list(column) if convert is None else _converted(column, convert)
        for column, convert in zip(zip(*rows, strict=True), converters, strict=True)
    ]
    await tx.connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


_Convert = Callable[[Any], Any]


@lru_cache(maxsize=32)
def _insert(table: sa.Table, names: tuple[str, ...], dialect: Dialect) -> tuple[str, tuple[_Convert | None, ...]]:
    """The statement in the driver's words, and for each column what the driver needs done with its values."""
    compiled = sa.insert(table).values({name: sa.bindparam(name) for name in names}).compile(dialect=dialect)
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    if compiled.positiontup != list(names):
        raise ValueError(f"the columns of {table.name} must be named in the table's order, not as {names}")
    return str(compiled), tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)


def _converted(values: Iterable[Any], convert: _Convert) -> list[Any]:
    known: dict[Any, Any] = {}  # instants repeat: all deposits of a block have the same
    return [known[value] if value in known else known.setdefault(value, convert(value)) for value in values]
