from __future__ import annotations

from typing import Any

import pytest

from pupil.errors import UsageError
from pupil.models.spec import Spec, arguments, parse


def test_takes_a_name_apart() -> None:
    assert parse("torchvision:fcn_resnet50") == Spec("torchvision", "fcn_resnet50", {})
    assert parse("my.nets:build?path=a%20b&empty=") == Spec("my.nets", "build", {"path": "a b", "empty": ""})


@pytest.mark.parametrize("text", ["tiny", "runs/big", ":tiny", "pupil:", "", "?width=3"])
def test_refuses_what_names_no_model(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a model as pupil:NAME, .* or a run folder, got"):
        parse(text)


def test_refuses_options_without_a_value() -> None:
    with pytest.raises(UsageError, match=r"expected options as \?name=value&name=value, got '\?width'"):
        parse("pupil:tiny?width")


def test_passes_only_options_that_exist() -> None:
    def build(classes: int, width: int = 3) -> None: ...

    def free(classes: int, **more: Any) -> None: ...

    def closed(classes: int) -> None: ...

    reserved = frozenset({"classes"})
    assert arguments(build, {"width": "5"}, "m:build", reserved) == {"width": 5}
    assert arguments(free, {"anything": "5"}, "m:free", reserved) == {"anything": 5}
    with pytest.raises(UsageError, match="unknown option of m:build 'widht': did you mean width"):
        arguments(build, {"widht": "5"}, "m:build", reserved)
    with pytest.raises(UsageError, match="unknown option of m:build 'classes': expected one of width"):
        arguments(build, {"classes": "5"}, "m:build", reserved)
    with pytest.raises(UsageError, match="m:closed takes no options, got 'width': leave it out"):
        arguments(closed, {"width": "5"}, "m:closed", reserved)
