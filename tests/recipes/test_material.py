from __future__ import annotations

from types import SimpleNamespace

import pytest

from pupil.data.images import Unreadable
from pupil.errors import UsageError
from pupil.recipes.material import check_data, smaller
from pupil.recipes.options import Segmentation


def test_smaller_never_enlarges() -> None:
    small = smaller(Segmentation(steps=2, batch_size=1, workers=3))
    assert small == {"steps": 2, "batch_size": 1, "accumulate": 1, "evaluations": 1, "workers": 0}
    assert smaller(Segmentation(accumulate=8))["accumulate"] == 2
    assert smaller(Segmentation())["steps"] <= 4


class Data(SimpleNamespace):
    def __len__(self) -> int:
        return getattr(self, "count", 1)

    def __getitem__(self, index: int) -> None: ...


def test_validation_data_are_looked_at_before_the_training() -> None:
    looked: list[int] = []
    data = Data(classes=("cat", "dog"))
    check_data(data, Data(classes=["cat", "dog"]))
    check_data(data, Data(classes=["cat", "dog"], check_labels=lambda: looked.append(1)))
    assert looked == [1]
    line = "^expected the classes cat, dog in the validation data too, got dog, cat: name the same classes in the same"
    with pytest.raises(UsageError, match=line):
        check_data(data, Data(classes=("dog", "cat")))


def test_broken_files_are_named_before_the_training_unless_they_are_skipped() -> None:
    data, val = Data(classes="ab", broken=[Unreadable("cannot read 1.png")], count=2), Data(classes="ab")
    with pytest.raises(Unreadable, match=r"^cannot read 1.png: mend or remove it, or pass --skip-bad-images$"):
        check_data(data, val)
    check_data(data, val, skip=True)
    # All of them.
    with pytest.raises(Unreadable, match=r"^cannot read 1.png: mend or remove it$"):
        check_data(Data(classes="ab", broken=data.broken), val, skip=True)
