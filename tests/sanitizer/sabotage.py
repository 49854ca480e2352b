"""Stand between a wrapper and the compiled module, and hand over what no wrapper would."""

from __future__ import annotations

import dataclasses
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.sanitizer.scribbler import Scribbler

REFUSALS = (ValueError, TypeError, AttributeError, MemoryError)
NO_ARRAYS: list[Any] = [None, 7, -1, "text", b"", object(), [1, 2], np.float64(1), np.empty(())]
NUMBERS: list[Any] = [
    *(-1, 0, 1, 2**31 - 2, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, -(2**63), 2**80),
    *(0.5, float("nan"), float("inf"), None, True),
]
NO_NAMES: list[Any] = [b"threads", 7, ("threads",)]
TYPES = ["?", "i1", "u1", "u2", ">i4", "i4", "i8", "u8", "f4", "f8", "c16", "O", "U2"]


class Saboteur:
    """Functions of a module, called with one argument spoiled, or changed while they run.

    Args:
        module: the compiled one.
        seed: of what is spoiled.
        scribbler: changes arrays during calls; ``None`` leaves them alone.

    Attributes:
        returned: how often each function returned.
        refused: how often each refused.
        without_memory: how often each had no memory.
    """

    def __init__(self, module: Any, seed: int, scribbler: Scribbler | None = None) -> None:
        self.module, self.rng, self.scribbler = module, np.random.default_rng(seed), scribbler
        self.returned, self.refused = Counter[str](), Counter[str]()
        self.without_memory = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.module, name)

        def call(**given: Any) -> Any:
            try:
                found = self._sabotaged(function, given)
            except REFUSALS as error:
                self.refused[name] += 1
                self.without_memory[name] += isinstance(error, MemoryError)
                raise
            self.returned[name] += 1
            return found

        return call

    def _sabotaged(self, function: Any, given: dict[str, Any]) -> Any:
        """Call a function with one argument spoiled, with all of them changing, or as it is."""
        if "threads" in given:
            given["threads"] = int(self.rng.integers(1, 5))
        way = self.rng.random()
        if way < 0.02:
            del given[str(self.rng.choice([*given]))]
        elif way < 0.4:
            names = [*given, "unknown", *NO_NAMES]
            spoiled = names[self.rng.integers(len(names))]
            given[spoiled] = self._spoiled(given.get(spoiled, 0))
        elif way < 0.7 and self.scribbler:
            return self._scribbled(function, given)
        return function(**given)

    def _scribbled(self, function: Any, given: dict[str, Any]) -> Any:
        """Call a function whose arrays another thread changes: one of them, or all."""
        assert self.scribbler is not None
        arrays: list[NDArray[Any]] = []
        opened = {key: _copied(value, arrays) for key, value in given.items()}
        if self.rng.random() < 0.5:
            arrays = arrays[self.rng.integers(len(arrays) or 1) :][:1]
        seed, often = int(self.rng.integers(2**31)), int(self.rng.choice([1, 2, 100, 10_000]))
        with self.scribbler.over(arrays, seed, often):
            return function(**opened)

    def _spoiled(self, value: Any) -> Any:
        """The same in another form, of another length, with other values, or something else."""
        if dataclasses.is_dataclass(value) or isinstance(value, tuple):
            parts = _parts(value)
            chosen = str(self.rng.choice([*parts]))
            return SimpleNamespace(**parts | {chosen: self._spoiled(parts[chosen])})
        if isinstance(value, bytes) and self.rng.random() < 0.5:
            return value[: self.rng.integers(len(value) + 1)] + self.rng.bytes(3)
        if not isinstance(value, np.ndarray):
            return [*NUMBERS, *NO_ARRAYS][self.rng.integers(len(NUMBERS) + len(NO_ARRAYS))]
        kind = self.rng.integers(8)
        if kind == 0:
            return NO_ARRAYS[self.rng.integers(len(NO_ARRAYS))]
        if kind == 1:
            with np.errstate(all="ignore"):
                return value.astype(str(self.rng.choice(TYPES)))
        if kind == 2:
            return _misaligned(value)
        return self._with_any_bits(value) if kind > 5 else self._of_another_form(value)

    def _of_another_form(self, value: NDArray[Any]) -> NDArray[Any]:
        """Shorter, longer, with gaps, of other dimensions, or without any bytes and yet long."""
        empty = np.empty((2**31 - 1, 0), value.dtype)
        forms = [value[:0], value[::2], value[::-1], value.T, value[1:], value[..., None], empty]
        forms += [
            np.concatenate([value, value[:1]]),
            empty.T,
            np.broadcast_to(value[:1], value.shape),
        ]
        return forms[self.rng.integers(len(forms))]

    def _with_any_bits(self, value: NDArray[Any]) -> NDArray[Any]:
        """A copy, in which some values are any pattern of bits."""
        copy = np.array(value, order="C")
        raw = copy.reshape(-1).view(np.uint8)
        some = self.rng.random(raw.size) < self.rng.choice([0.001, 0.02, 1])
        raw[some] = self.rng.integers(0, 256, int(some.sum()), np.uint8)
        copy.flags.writeable = bool(self.rng.random() < 0.8)
        return copy


def _parts(value: Any) -> dict[str, Any]:
    """What stands in an object of several arrays, by name."""
    if isinstance(value, tuple):
        return dict(zip(value._fields, value, strict=True))  # type: ignore[attr-defined]
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _copied(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """A copy whose arrays may be changed; they are listed."""
    if dataclasses.is_dataclass(value) or isinstance(value, tuple):
        parts = _parts(value)
        return SimpleNamespace(**{name: _copied(part, arrays) for name, part in parts.items()})
    if not isinstance(value, np.ndarray) or value.dtype == object:
        return value
    arrays.append(np.array(value, order="C"))
    return arrays[-1]


def _misaligned(value: NDArray[Any]) -> NDArray[Any]:
    """The same one byte further on in memory than its type may stand."""
    raw = np.empty(value.nbytes + 1, np.uint8)
    copy = raw[1:].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy
