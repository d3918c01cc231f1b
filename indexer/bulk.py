"""Many rows at once, as they come by the thousand while catching up.

SQLAlchemy prepares each value of each row by itself, which costs more than SQLite's own work. Here a column is prepared
as a whole, by the same converters, and the driver gets the rows in one call.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from runtime.database import Transaction

_FEW = 8  # rows; below it SQLAlchemy's own way is as good


async def insert_rows(tx: Transaction, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns; none is fine too."""
    if len(rows) < _FEW:
        if rows:
            await tx.execute(sa.insert(table), rows)
        return
    dialect = tx.connection.dialect
    statement, columns = _insert(table, tuple(rows[0]), dialect)
    values = [_converted([row[name] for row in rows], convert) for name, convert in columns]
    await tx.connection.exec_driver_sql(statement, list(zip(*values, strict=True)))


_Convert = Callable[[Any], Any]


@lru_cache(maxsize=32)
def _insert(
    table: sa.Table, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, tuple[tuple[str, _Convert | None], ...]]:
    """The statement in the driver's words, and its columns in their order, each with what the driver needs done."""
    compiled = sa.insert(table).compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    order = compiled.positiontup or []
    converters = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order]
    return str(compiled), tuple(zip(order, converters, strict=True))


def _converted(values: list[Any], convert: _Convert | None) -> list[Any]:
    if convert is None:
        return values
    known: dict[Any, Any] = {}  # instants repeat: all deposits of a block have the same
    return [known[value] if value in known else known.setdefault(value, convert(value)) for value in values]
