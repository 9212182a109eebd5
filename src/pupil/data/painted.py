"""Folders whose masks are painted: each class in a colour that `classes.json` names."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pupil.data.classes import Classes, read_classes
from pupil.data.folder import first_mask, paired, split_folder
from pupil.data.images import is_painted
from pupil.data.labelled import LabelledImages
from pupil.data.masks import painted
from pupil.errors import UsageError


class PaintedFolder(LabelledImages):
    """`ROOT/SPLIT/images/NAME.jpg` and `ROOT/SPLIT/masks/NAME.png`, and what each colour means in `ROOT/classes.json`.

    `{"classes": ["road", "car", "void"], "colours": [[128, 64, 128], [0, 0, 142], [0, 0, 0]], "ignore_index": 2}`: the
    classes in order, the colour of each, and which of them is ignored, if any: it is left out, and those behind it move
    up. Palette PNGs count as the colours that they show.

    Args:
        root: the folder of the data.
        split: the folder below it: train, val, ...
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: a folder, a mask or a colour is missing; on access to an item: a colour that is no class.
    """

    title: ClassVar[str] = "painted folder"
    layout: ClassVar[str] = "train/images, train/masks in colours and classes.json"

    def __init__(
        self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0, cache: bool = False
    ) -> None:
        root = Path(root)
        folder, meaning = split_folder(root, split), read_classes(root / "classes.json")
        if "names" not in meaning or "colours" not in meaning:
            raise UsageError(
                f'expected "classes" and "colours" in {root / "classes.json"}, which say what the colours of the masks '
                f'mean, got {", ".join(meaning) or "none"}: for example {{"classes": ["road", "car"], "colours": '
                "[[128, 64, 128], [0, 0, 142]]}"
            )
        names, colours = [*meaning["names"]], [*meaning["colours"]]
        ignored: int = meaning.get("ignore_index", 255)
        if len(set(colours)) < len(colours):
            raise UsageError(f"expected a colour of its own for each class in {root / 'classes.json'}, got one twice")
        if 0 <= ignored < len(names):
            # Ids are ours to choose: as the last one, `Classes` leaves it out.
            for values in (names, colours):
                values.append(values.pop(ignored))
            ignored = len(names) - 1
        images, masks = paired(folder / "images", folder / "masks")
        super().__init__(
            images,
            masks,
            Classes(tuple(names), tuple(colours), ignored),
            reader=painted({colour: index for index, colour in enumerate(colours)}),
            labels=labels,
            seed=seed,
            cache=cache,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        mask = first_mask(root)
        return mask is not None and is_painted(mask)
