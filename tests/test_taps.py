from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Activations
from pupil.taps import Tapped, dry_run

IMAGE = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    """A block as found in the wild: one ReLU used twice, and a residual added in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.unused = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.relu(self.conv1(x)))
        out += x
        return self.relu(out)


class Headed(nn.Module):
    """A layer that is called by keyword, and one that shows no tensor."""

    class Count(nn.Module):
        def forward(self, *, image: Tensor) -> dict[str, Any]:
            return {"images": len(image), "names": ["a"]}

    class Pair(nn.Module):
        def forward(self, *, image: Tensor) -> dict[str, Any]:
            return {"kind": "pair", "levels": [image[:, :1], image]}

    def __init__(self) -> None:
        super().__init__()
        self.count, self.pair = self.Count(), self.Pair()

    def forward(self, x: Tensor) -> Tensor:
        self.count(image=x)
        level: Tensor = self.pair(image=x)["levels"][0]
        return level


class Fragile(nn.Sequential):
    """Fails after its first layer has run, on request."""

    broken = True

    def forward(self, x: Tensor) -> Tensor:
        x = self[0](x)
        if self.broken:
            raise RuntimeError("out of memory")
        return self[1](x)  # type: ignore[no-any-return]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv2d(4, 2, 1),
    )
    return nn.Sequential(*layers)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def stores(tapped: Tapped) -> list[Any]:
    return [recorder.store for recorder in tapped._recorders]


def test_features_stand_beside_the_output_and_carry_gradients() -> None:
    model = network().eval()
    shown = Tapped(model, ["2", "4:in"])(IMAGE)
    assert torch.equal(shown.output, model(IMAGE))
    assert torch.equal(shown.features["2"], model[:3](IMAGE))
    shown.features["2"].sum().backward()
    assert model[0].weight.grad is not None


def test_the_call_names_features_of_its_own_and_receives_the_target() -> None:
    def call(model: nn.Module, image: Tensor, target: Any) -> Activations:
        return Activations(model(image), {"double": 2 * image}, batch=(image, target))

    shown = Tapped(network(), ["0:in"], call)(IMAGE, "target")
    assert list(shown.features) == ["double", "0:in"]
    assert shown.batch == (IMAGE, "target")


def test_the_model_keeps_its_own_names() -> None:
    model = network()
    names = list(model.state_dict())
    tapped = Tapped(model, ["2"])
    assert list(model.state_dict()) == names
    assert list(tapped.state_dict()) == [f"model.{name}" for name in names]


# Hooks: inert unless their owner asks, empty afterwards, gone on request.


def test_hooks_are_inert_outside_their_own_ask() -> None:
    model = network()
    first, second = Tapped(model, ["2"]), Tapped(model, ["4"])
    model(IMAGE)
    assert stores(first) == stores(second) == [None]
    assert list(first(IMAGE).features) == ["2"]
    assert list(second(IMAGE).features) == ["4"]


def test_nothing_is_held_after_return_or_after_an_exception() -> None:
    model = Fragile(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    tapped = Tapped(model, ["0"])
    with pytest.raises(RuntimeError, match="out of memory"):
        tapped(IMAGE)
    assert stores(tapped) == [None]
    model.broken = False
    assert tapped(IMAGE).features["0"].shape == (2, 4, 8, 8)
    assert stores(tapped) == [None]


def test_release_leaves_no_hook() -> None:
    model = network()
    tapped = Tapped(model, ["2", "4:in"])
    assert hooks(model) == 2
    assert tapped.release() is model
    assert hooks(model) == 0
    assert tapped(IMAGE).features == {}


def pickled(module: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(module))


def saved(module: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled, saved])
def test_copies_are_whole_and_independent(duplicate: Callable[[Tapped], Tapped]) -> None:
    tapped = Tapped(network().eval(), ["2", "4:in"])
    twin = duplicate(tapped)
    with torch.no_grad():
        twin.model[4].bias += 1.0
    ours, theirs = tapped(IMAGE), twin(IMAGE)
    assert torch.allclose(theirs.output, ours.output + 1.0)
    assert torch.equal(theirs.features["2"], ours.features["2"])
    twin.release()
    assert (hooks(twin.model), hooks(tapped.model)) == (0, 2)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled, saved])
def test_a_copy_of_the_model_alone_is_an_ordinary_model(duplicate: Callable[[nn.Module], nn.Module]) -> None:
    tapped = Tapped(network().eval(), ["2"])
    twin = duplicate(tapped.model)
    assert torch.equal(twin(IMAGE), tapped.model(IMAGE))
    assert stores(tapped) == [None]
    assert list(Tapped(twin, ["4"])(IMAGE).features) == ["4"]
    assert list(tapped(IMAGE).features) == ["2"]


# What cannot be tapped is refused by name, with the alternative.


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv3", r"unknown layer 'conv3': did you mean conv\d, conv\d\?"),
        ("conv3:in", r"unknown layer 'conv3': did you mean conv\d, conv\d\?"),
        ("", "unknown layer ''"),
        (":in", "unknown layer ''"),
    ],
)
def test_an_unknown_layer_lists_the_close_names(layer: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Tapped(Residual(), [layer])


@pytest.mark.parametrize(
    ("model", "layer", "message"),
    [
        (Residual, "unused", "'unused': it did not run .* `pupil layers`"),
        (Residual, "relu", "'relu': it runs 2 times .* tap a layer before or after it"),
        (Residual, "conv1", "'conv1': it is overwritten in place .* 'NAME:in' of the in-place layer"),
        (Residual, "conv2", "'conv2': it is overwritten in place .* tap a layer after that"),
        (network, "1", "'1': it is overwritten in place"),
        (Headed, "count", "'count': it shows no tensor: tap one of the layers inside it"),
    ],
)
def test_a_layer_that_cannot_be_tapped_is_refused(model: Callable[[], nn.Module], layer: str, message: str) -> None:
    tapped = Tapped(model(), [layer])
    with pytest.raises(UsageError, match=f"cannot tap layer {message}"):
        tapped(IMAGE)
    with pytest.raises(UsageError, match=f"cannot tap layer {message}"):
        dry_run(tapped.release(), IMAGE).shape(layer)


def test_a_shared_tower_is_refused_but_what_runs_once_is_not() -> None:
    tower = nn.Conv2d(3, 3, 1)
    model = nn.Sequential(tower, nn.BatchNorm2d(3), tower)
    with pytest.raises(UsageError, match="'0': it runs 2 times"):
        Tapped(model, ["0"])(IMAGE)
    assert list(Tapped(model, ["1"])(IMAGE).features) == ["1"]


def compiled_outside() -> nn.Module:
    return torch.compile(network(), backend="eager")  # type: ignore[return-value]


def compiled_in_place() -> nn.Module:
    model = network()
    model.compile(backend="eager")
    return model


def compiled_inside() -> nn.Module:
    return nn.Sequential(compiled_in_place())


@pytest.mark.parametrize("model", [compiled_outside, compiled_in_place, compiled_inside])
def test_a_compiled_model_is_refused(model: Callable[[], nn.Module]) -> None:
    with pytest.raises(UsageError, match="wrap it first, compile after"):
        Tapped(model())


@pytest.mark.parametrize("fullgraph", [False, True])
def test_wrapped_first_and_compiled_after_agrees_with_eager(fullgraph: bool) -> None:
    tapped = Tapped(network().eval(), ["2", "2:in"])
    eager, compiled = tapped(IMAGE), torch.compile(tapped, backend="eager", fullgraph=fullgraph)(IMAGE)
    torch.testing.assert_close(compiled.output, eager.output)
    torch.testing.assert_close(dict(compiled.features), dict(eager.features))


# What a layer received, and what it shows when that is not a plain tensor.


def test_what_an_in_place_layer_received_is_kept() -> None:
    model = network().eval()
    shown = Tapped(model, ["2:in", "2"])(IMAGE)
    assert torch.equal(shown.features["2:in"], model[:2](IMAGE))
    assert shown.features["2:in"].min() < 0.0 <= shown.features["2"].min()


def test_the_first_tensor_inside_a_record_or_a_keyword_is_the_feature() -> None:
    shown = Tapped(Headed(), ["pair", "pair:in"])(IMAGE)
    assert torch.equal(shown.features["pair"], IMAGE[:, :1])
    assert torch.equal(shown.features["pair:in"], IMAGE)


def test_inference_mode_counts_no_versions() -> None:
    with torch.inference_mode():
        assert list(Tapped(network(), ["2"])(IMAGE).features) == ["2"]


# The dry run.


def test_a_dry_run_finds_every_shape() -> None:
    found = dry_run(network(), IMAGE, lambda model, image, _: Activations(model(image), {"own": image}))
    assert found.output == (2, 2, 8, 8)
    assert list(found.layers) == ["0", "1", "2", "3", "4"]
    assert found.layers["2"].kind == "ReLU"
    shapes = {name: found.shape(name) for name in ("own", "0:in", "2", "2:in", "4")}
    assert shapes == {
        "own": (2, 3, 8, 8),
        "0:in": (2, 3, 8, 8),
        "2": (2, 4, 8, 8),
        "2:in": (2, 4, 8, 8),
        "4": (2, 2, 8, 8),
    }


def test_a_dry_run_leaves_no_trace() -> None:
    model = network()
    model[3].eval()  # its owner keeps a part of it in evaluation mode
    flags = [module.training for module in model.modules()]
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    dry_run(model, IMAGE, lambda model, image, _: Activations(model(image) + torch.rand(1)))
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert hooks(model) == 0


def test_a_dry_run_that_fails_leaves_no_trace_either() -> None:
    model = Fragile(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    with pytest.raises(RuntimeError, match="out of memory"):
        dry_run(model, IMAGE)
    assert model.training
    assert hooks(model) == 0


@pytest.mark.parametrize(("layer", "message"), [("unused:in", "did not run"), ("relu:in", "runs 2 times")])
def test_a_dry_run_refuses_what_tapping_refuses(layer: str, message: str) -> None:
    for ask in (lambda: dry_run(Residual(), IMAGE).shape(layer), lambda: Tapped(Residual(), [layer])(IMAGE)):
        with pytest.raises(UsageError, match=f"cannot tap layer '{layer}': it {message}"):
            ask()


def test_a_dry_run_names_the_close_layers() -> None:
    with pytest.raises(UsageError, match="unknown layer 'conv': did you mean conv1, conv2"):
        dry_run(Residual(), IMAGE).shape("conv")
