"""The answer to a query: a sequence of rows, and the same as a table of astropy or a frame of pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from registry.query.fields import Kind, What
from registry.times import format_time

if TYPE_CHECKING:
    from astropy.table import Table


class Rows(Sequence[dict[str, Any]]):
    """Rows by position, each a new dict of plain values: times as texts in UTC, ids in full.

    Parameters
    ----------
    what
        What the rows are about.
    columns
        Name, kind and unit of each column.
    values
        One tuple a row, as the database has them.
    next_page
        The token of the page that follows; None after the last one, or if no limit was given.
    """

    def __init__(
        self,
        what: What,
        columns: Mapping[str, tuple[Kind, str | None]],
        values: Sequence[tuple[Any, ...]],
        next_page: str | None = None,
    ) -> None:
        self.what = what
        self.next_page = next_page
        self._columns, self._values = dict(columns), list(values)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self._plain(values) for values in self._values[index]]
        return self._plain(self._values[index])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._plain, self._values)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        more = ", and more" if self.next_page else ""
        return f"<{len(self)} {self.what}{more}: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        return str(self.to_table()._repr_html_())

    def to_table(self) -> Table:
        """Return an astropy Table: quantities in `unit`, times as `astropy.time.Time` in UTC, what is absent masked."""
        from registry.query.frames import as_table

        return as_table(self._columns, self._values)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame: times as ``datetime64[ns, UTC]``, what is absent as missing.

        Raises
        ------
        UnavailableError
            If pandas is not installed.
        """
        from registry.query.frames import as_frame

        return as_frame(self._columns, self._values)

    def _plain(self, values: Sequence[Any]) -> dict[str, Any]:
        return {
            name: None if value is None else _SHOWN.get(kind, _same)(value)
            for (name, (kind, _)), value in zip(self._columns.items(), values, strict=True)
        }


def _same(value: Any) -> Any:
    return value


_SHOWN: Mapping[Kind, Callable[[Any], Any]] = {Kind.TIME: format_time, Kind.ID: str, Kind.TRUTH: bool}
