from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest

from pupil.errors import UsageError
from pupil.models.spec import Spec, arguments, literal, one_line, parse, wanted_weights


def test_takes_a_name_apart() -> None:
    assert parse("torchvision:fcn_resnet50") == Spec("torchvision", "fcn_resnet50", {})
    assert parse("my.nets:build?path=a%20b&empty=") == Spec("my.nets", "build", {"path": "a b", "empty": ""})


@pytest.mark.parametrize("text", ["tiny", "big", ":tiny", "pupil:", "", "?width=3"])
def test_refuses_what_names_no_model(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a model as pupil:NAME, .* or a run folder, got"):
        parse(text)


def test_what_looks_like_a_path_is_no_run_folder() -> None:
    with pytest.raises(UsageError, match=r"expected a run folder .*, got 'runs/nope': there is no such run folder$"):
        parse("runs/nope")


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


def test_values_with_commas_are_lists_where_the_option_is_no_single_value() -> None:
    def build(
        name: str = "", mode: Literal["a,b", "c"] = "c", width: int | None = 1, channels: Sequence[int] = (1,), rest=0
    ) -> None: ...

    given = {"name": "a,b", "mode": "a,b", "channels": "8,16", "rest": "0.5,relu"}
    assert arguments(build, given, "m:build") == {
        "name": "a,b", "mode": "a,b", "channels": [8, 16], "rest": [0.5, "relu"]
    }  # fmt: skip
    with pytest.raises(UsageError, match="expected a whole number or none for 'width', got '1,2'"):
        arguments(build, {"width": "1,2"}, "m:build")
    assert literal("4,") == [4]


@pytest.mark.parametrize(
    ("text", "weights"),
    [("imagenet", "imagenet"), ("DEFAULT", "DEFAULT"), ("True", "imagenet"), ("none", None), ("False", None),
     ("ssl", "ssl"), ("nvidia/mit-b0", "nvidia/mit-b0")],
)  # fmt: skip
def test_weights_have_one_word_everywhere(text: str, weights: str | None) -> None:
    assert wanted_weights({"weights": text}) == weights


def test_what_a_library_raises_becomes_one_line_with_its_cause() -> None:
    with pytest.raises(UsageError) as caught, one_line("cannot get the weights"):
        raise OSError("no way\n  to host")
    assert str(caught.value) == "cannot get the weights: no way to host"
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(UsageError, match=r"^ours$"), one_line("cannot"):
        raise UsageError("ours")
    with pytest.raises(KeyboardInterrupt), one_line("cannot"):
        raise KeyboardInterrupt
