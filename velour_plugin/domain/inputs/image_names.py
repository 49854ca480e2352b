"""Which image a file means by a name: one rule for predictions, results and metadata tables.

A name is an image's uid or file name as it stands. One that is neither may be written otherwise: in
another Unicode form, with ``%20`` or backslashes, with more or fewer folders, in other letters,
without its extension or its leading zeros. It is read so where that leads to one image, and
no other name leads there as closely; such repairs are counted. A name that may be two images, and
two names that may be one, are refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby, islice
from urllib.parse import unquote

from velour_plugin.domain.inputs.reading import note_repaired
from velour_plugin.errors import BadDataset

_FILE = re.compile(
    r"(.+)\.(jpe?g|jpe|png|tiff?|bmp|gif|webp|jp2|j2k|heic|avif|p[bgnp]m|dng|svs|ndpi|mrxs|dcm|npy"
    r"|(geo)?json|xml|txt|csv)"
)
"""A file of an image or its annotations; ``tile.v1`` is none."""
_ZEROS = re.compile(r"0*([0-9]+)(\.0*)?")
"""A number; spreadsheets and pandas make 42 or 42.0 of 000042."""
_Parts = tuple[str, ...]


class ImageNames:
    """The names of a dataset's images; finds images by what other files call them.

    Args:
        uids: of all images.
        file_names: of the images, in the same order; ``None`` where one has none.
    """

    def __init__(self, uids: Sequence[str], file_names: Sequence[str | None] = ()) -> None:
        self.uids = uids
        self.file_names = file_names

    def __contains__(self, name: object) -> bool:
        """Whether an image has exactly this name."""
        return name in self._exact

    def find(self, names: Iterable[str], where: str) -> dict[str, int]:
        """Return the positions of the images that some names mean; others have no entry.

        Args:
            names: all that a file has, so that two for one image are seen.
            where: the file, for messages.

        Raises:
            BadDataset: a name may be two images, two names may be one, or it would
                be repaired and reading is strict.
        """
        left = list(dict.fromkeys(names))
        found = {
            name: self._only(name, self._exact[name], where) for name in left if name in self._exact
        }
        self._check_each_once(found, where)
        for rule, form in _FORMS:
            left = [name for name in left if name not in found]
            if left:
                found |= self._closest(left, rule, form, found.values(), where)
        return found

    def find_all(self, names: Iterable[str], where: str, dataset: str) -> dict[str, int]:
        """Return the positions of all images that predictions name, as :meth:`find` does.

        Args:
            names: all that a file or folder has.
            where: the file or folder, for messages.
            dataset: name of the dataset, for messages.

        Raises:
            BadDataset: a name is no image's, may be two images', or two may be one's.
        """
        names = list(names)
        found = self.find(names, where)
        unknown = [name for name in names if name not in found]
        if unknown:
            known = repr(self.uids[0]) if self.uids else "none"
            raise BadDataset(
                f"{where}: predictions for {unknown[0]!r}, which is not in dataset {dataset!r} "
                f"({known}, …); {len(unknown)} of {len(names)} names are not."
            )
        return found

    @cached_property
    def _exact(self) -> Mapping[str, Sequence[int]]:
        """Images by their names as they stand; a uid goes before the file name of another."""
        images: dict[str, list[int]] = {}
        for index, name in enumerate(self.file_names):
            if name is not None:
                images.setdefault(name, []).append(index)
        return {**images, **{uid: [index] for index, uid in enumerate(self.uids)}}

    def _only(self, name: str, images: Iterable[int], where: str) -> int:
        first, *others = islice(images, 2)
        if others:
            raise BadDataset(
                f"{where}: {name!r} may be image {self._called(first)} or "
                f"{self._called(others[0])}: name it by its uid, or by its whole path."
            )
        return first

    def _check_each_once(self, images: Mapping[str, int], where: str) -> None:
        by_image: dict[int, str] = {}
        for name, index in images.items() if len(set(images.values())) < len(images) else ():
            if index in by_image:
                raise self._two_names(by_image[index], name, index, where)
            by_image[index] = name

    def _two_names(self, first: str, second: str, index: int, where: str) -> BadDataset:
        return BadDataset(
            f"{where}: {first!r} and {second!r} both name image {self._called(index)}: name each "
            "image once, by its uid or its whole path."
        )

    def _called(self, index: int) -> str:
        file_name = self.file_names[index] if self.file_names else None
        uid = self.uids[index]
        return repr(uid) if file_name in (None, uid) else f"{uid!r} ({file_name!r})"

    def _closest(
        self,
        names: Sequence[str],
        rule: str,
        form: Callable[[str], _Parts],
        taken: Iterable[int],
        where: str,
    ) -> dict[str, int]:
        """Images whose path in some form shares the most of its end with a name's.

        The closest are found first: after ``a/1.jpg`` and ``b/1.jpg``, ``c/1.jpg`` is nobody.
        """
        images_by_end = self._images_by_end(form)
        names_by_end: dict[_Parts, list[str]] = {}
        for name in names:
            longest = next((end for end in _ends(form(name)) if end in images_by_end), None)
            if longest is not None:
                names_by_end.setdefault(longest, []).append(name)
        free = set(range(len(self.uids))).difference(taken)
        found: dict[int, str] = {}
        for _, equally_long in groupby(sorted(names_by_end, key=len, reverse=True), key=len):
            closest: dict[int, str] = {}
            for end in equally_long:
                if not free.isdisjoint(images_by_end[end]):
                    index = self._only(names_by_end[end][0], images_by_end[end], where)
                    for name in names_by_end[end]:
                        if closest.setdefault(index, name) != name:
                            raise self._two_names(closest[index], name, index, where)
            free.difference_update(closest)
            found |= closest
        for index, name in found.items():
            note_repaired(f"names of images {rule}", f"{where}, {name!r} for {self._called(index)}")
        return {name: index for index, name in found.items()}

    def _images_by_end(self, form: Callable[[str], _Parts]) -> dict[_Parts, dict[int, None]]:
        """Images, in their order, by the ends of their paths in some form."""
        images: dict[_Parts, dict[int, None]] = {}
        for names in (self.uids, self.file_names):
            for index, name in enumerate(names):
                for end in _ends(form(name)) if name else ():
                    images.setdefault(end, {})[index] = None
        return images


def _ends(parts: _Parts) -> Iterator[_Parts]:
    """Ends of a path, the longest first; the whole one, which begins at a root, is longer still."""
    if parts:
        yield ("", *parts)
    for first in range(len(parts)):
        yield parts[first:]


def _parts_of(name: str) -> _Parts:
    path = unicodedata.normalize("NFC", unquote(name)).replace("\\", "/")
    return tuple(part for part in path.strip().split("/") if part not in ("", "."))


def _folded(name: str) -> _Parts:
    return _parts_of(unicodedata.normalize("NFC", name).casefold())


def _bare(name: str) -> _Parts:
    parts = _folded(name)
    file = _FILE.fullmatch(parts[-1]) if parts else None
    return (*parts[:-1], file[1]) if file else parts


def _counted(name: str) -> _Parts:
    parts = _bare(name)
    number = _ZEROS.fullmatch(parts[-1]) if parts else None
    return (*parts[:-1], number[1]) if number else ()


_FORMS: Sequence[tuple[str, Callable[[str], _Parts]]] = (
    ("in another spelling (folders, Unicode, percent signs or separators)", _parts_of),
    ("in other letters, upper or lower case", _folded),
    ("with another extension or none", _bare),
    ("with other leading zeros", _counted),
)
"""Ways to read a name, the surest first."""
