"""Lazy fields of dataclasses: their value is computed when it is first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def later(make: Callable[[], T]) -> T:
    """Make a placeholder for the value of a lazy field (see :func:`may_wait`), computed when read.

    Args:
        make: computes the value; two threads that read it at once may both call it.
    """
    return cast(T, _Waiting(make))


def may_wait(*names: str) -> Callable[[type[T]], type[T]]:
    """Class decorator factory: these fields of a dataclass, frozen or not, accept :func:`later`.

    >>> from dataclasses import dataclass
    >>> @may_wait("area")
    ... @dataclass(frozen=True)
    ... class Square:
    ...     area: int
    >>> Square(4).area, Square(later(lambda: 3 * 3)).area
    (4, 9)
    """

    def add(owner: type[T]) -> type[T]:
        for name in names:
            setattr(owner, name, _LazyField(name))
        return owner

    return add


class _Waiting:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _LazyField:
    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        value = vars(instance)[self.name]
        if isinstance(value, _Waiting):
            value = vars(instance)[self.name] = value.make()
        return value

    def __set__(self, instance: object, value: Any) -> None:
        vars(instance)[self.name] = value
