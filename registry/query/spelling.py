"""A tree of `syntax` as text again."""

from __future__ import annotations

from registry.query import syntax as s

_LONG = 5


def spell(node: s.Node) -> str:
    """Return a text that reads as the tree does; long lists are cut."""
    match node:
        case s.Or():
            return " or ".join(map(_inner, node.conditions))
        case s.And():
            return " and ".join(map(_inner, node.conditions))
        case s.Not():
            return f"not {_inner(node.condition)}"
        case s.Absent():
            return f"{node.field.name} is null"
        case s.Like():
            return f"{node.field.name} ~ {_value(node.pattern)}"
        case s.Compare():
            right = node.value.name if isinstance(node.value, s.Field) else _value(node.value)
            return f"{node.field.name} {node.operator} {right}"
        case s.Member():
            return f"{node.field.name} in {_items(node.items)}"


def _inner(node: s.Node) -> str:
    return f"({spell(node)})" if isinstance(node, s.Or | s.And) else spell(node)


def _items(items: tuple[s.Value | s.Span | s.Several, ...]) -> str:
    if len(items) == 1 and not isinstance(items[0], s.Value):
        return _item(items[0])
    shown = [_item(item) for item in items[:_LONG]]
    more = [f"... {len(items) - _LONG} more"] if len(items) > _LONG else []
    return f"({', '.join([*shown, *more])})"


def _item(item: s.Value | s.Span | s.Several) -> str:
    if isinstance(item, s.Value):
        return _value(item)
    if isinstance(item, s.Several):
        return _value(item.value)
    stride = f":{_value(item.stride)}" if item.stride is not None else ""
    return f"{_value(item.first)}..{_value(item.last)}{stride}"


def _value(value: s.Value) -> str:
    if value.bind is not None:
        return f":{value.bind}"
    if isinstance(value.content, bool):
        return str(value.content).lower()
    return "'" + value.content.replace("'", "''") + "'" if isinstance(value.content, str) else str(value.content)
