"""What every lane network promises, whichever it is."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models.lanes import CAFFE, LANE_NETS, NAMES, lane_net
from pupil.models.preprocessing import IMAGENET
from pupil.taps import Tapped, dry_run

SIZE = (48, 64)
# The deeper ResNet differs in nothing but its length.
SHORT = tuple(name for name in NAMES if name != "lane-resnet34")


def net(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return lane_net(name, 5, **{"size": "48x64", **options})  # type: ignore[arg-type]


def picture(height: int = SIZE[0], width: int = SIZE[1], images: int = 2) -> Tensor:
    return torch.rand(images, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_logits_at_the_size_of_the_image_and_one_a_lane(name: str) -> None:
    with torch.no_grad():
        answer = net(name).eval()(picture())
        alone = net(name, existence=False).eval()(picture())
    assert {key: tuple(logits.shape) for key, logits in answer.items()} == {"out": (2, 5, *SIZE), "existence": (2, 4)}
    assert list(alone) == ["out"]
    assert all(logits.isfinite().all() for logits in answer.values())
    # No softmax and no sigmoid at the end.
    assert answer["out"].min() < 0
    assert not torch.allclose(answer["out"].sum(1), torch.ones(2, *SIZE))
    assert answer["existence"].min() < 0


@pytest.mark.parametrize("name", NAMES)
def test_the_four_blocks_can_be_tapped(name: str) -> None:
    model = net(name)
    blocks = type(model).blocks
    found = dry_run(model, picture())
    shapes = [found.shape(layer) for layer in blocks]
    strides = [(SIZE[0] // height, SIZE[1] // width) for _, _, height, width in shapes]
    first = (2, 4) if name == "erfnet" else (4, 8)
    assert strides == [(first[0],) * 2, (first[1],) * 2, (8, 8), (8, 8)]
    assert [shape[1] for shape in shapes] == sorted(shape[1] for shape in shapes)
    features = Tapped(model, blocks)(picture()).features
    assert [tuple(features[layer].shape) for layer in blocks] == shapes
    # The deeper block has seen the shallower one.
    (gradient,) = torch.autograd.grad(features[blocks[3]].sum(), features[blocks[2]])
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("existence", [True, False])
def test_gradient_reaches_every_parameter(name: str, existence: bool) -> None:
    # In evaluation mode: BatchNorm takes the gradient of a bias before it in training.
    model = net(name, existence=existence).eval()
    weights = torch.Generator().manual_seed(2)
    answer = model(picture())
    sum((logits * torch.randn(logits.shape, generator=weights)).sum() for logits in answer.values()).backward()
    idle = [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert idle == []


@pytest.mark.parametrize("name", SHORT)
def test_evaluation_equals_itself_and_training_drops_out(name: str) -> None:
    model = net(name).eval()
    with torch.no_grad():
        first, again = model(picture()), model(picture())
        assert all(torch.equal(first[key], again[key]) for key in first)
        first, again = model.train()(picture())["existence"], model(picture())["existence"]
    assert not torch.equal(first, again)


@pytest.mark.parametrize("name", SHORT)
def test_weights_pickles_and_copies_carry_everything(name: str) -> None:
    torch.manual_seed(0)
    model = net(name).eval()
    torch.manual_seed(5)
    other = lane_net(name, 5, size="48x64").eval()
    other.load_state_dict(model.state_dict(), strict=True)
    with torch.no_grad():
        expected = model(picture())
        for twin in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            answer = twin(picture())
            assert all(torch.equal(expected[key], answer[key]) for key in expected)
            assert twin.preprocessing == model.preprocessing


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("size", [(64, 40), (24, 72), (96, 128)])
def test_other_sizes_at_prediction(name: str, size: tuple[int, int]) -> None:
    with torch.no_grad():
        answer = net(name).eval()(picture(*size))
    assert {key: tuple(logits.shape) for key, logits in answer.items()} == {"out": (2, 5, *size), "existence": (2, 4)}


@pytest.mark.parametrize("name", SHORT)
def test_any_size_goes_through_the_preprocessing(name: str) -> None:
    model = net(name).eval()
    with torch.no_grad():
        answer = model(model.preprocessing(picture(45, 61)))
    height, width = (45, 61) if model.preprocessing.divisor == 1 else (48, 64)
    assert answer["out"].shape == (2, 5, height, width)
    with torch.no_grad():
        assert model(model.preprocessing(picture(9, 20)))["out"].isfinite().all()


@pytest.mark.parametrize("name", [name for name in NAMES if LANE_NETS[name].preprocessing.divisor == 8])
@pytest.mark.parametrize("size", [(45, 64), (48, 60), (8, 64)])
def test_refuses_sizes_that_it_cannot_halve_three_times(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"multiples of 8 from 16 on, got an image of {size[0]}x{size[1]}"):
        net(name)(picture(*size))


@pytest.mark.parametrize("name", SHORT)
def test_channels_last_gives_the_same(name: str) -> None:
    model = net(name).eval().double()
    image = picture().double()
    with torch.no_grad():
        expected = model(image)
        answer = model.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
    for key in expected:
        torch.testing.assert_close(answer[key], expected[key], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SHORT)
def test_trains_under_autocast(name: str) -> None:
    model = net(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = model(picture())
    sum(logits.float().square().mean() for logits in answer.values()).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["enet-sad", "lane-tiny"])
def test_learns_where_a_lane_is_and_whether(name: str) -> None:
    torch.manual_seed(0)
    model = lane_net(name, 2, size="32x48")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    image = 0.3 * torch.rand(8, 3, 32, 48)
    image[:4, ..., 20:26] += 0.7
    target = (image.mean(1) > 0.5).long()
    exists = torch.tensor([[1.0]] * 4 + [[0.0]] * 4)
    losses = []
    for _ in range(25):
        answer = model(image)
        loss = nn.functional.cross_entropy(answer["out"], target)
        loss = loss + nn.functional.binary_cross_entropy_with_logits(answer["existence"], exists)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_names_and_their_own_sizes() -> None:
    assert NAMES == ("enet-sad", "erfnet", "lane-resnet18", "lane-resnet34", "lane-tiny")
    assert lane_net("enet-sad", 5).existence.grid == (26, 122)
    assert lane_net("lane-tiny", 5).existence.grid == (8, 12)
    assert lane_net("lane-tiny", 7, size="128x192").existence.grid == (16, 24)


def test_preprocessing_is_that_of_the_publication() -> None:
    white = torch.ones(1, 3, 16, 16)
    assert net("erfnet").preprocessing == CAFFE
    # Blue comes first.
    torch.testing.assert_close(CAFFE(white)[0, :, 0, 0], 255 - torch.tensor([103.939, 116.779, 123.68]))
    assert net("lane-resnet18").preprocessing == IMAGENET
    red = net("enet-sad").preprocessing(white)[0, 0, 0, 0]
    torch.testing.assert_close(red, torch.tensor((1 - 0.3598) / 0.2573))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("enet", {}, "unknown lane network 'enet': did you mean enet-sad"),
        ("enet-sad", {"size": "976"}, "expected a size as HEIGHTxWIDTH, got '976': write for example 208x976"),
        ("enet-sad", {"size": "590x1640"}, "multiples of 8 from 16 on, got an image of 590x1640: .* to 592x1640"),
        ("enet-sad", {"size": "8x64"}, "multiples of 8 from 16 on, got an image of 8x64: .* to 16x64"),
        ("enet-sad", {"weights": "imagenet"}, "unknown weights of enet-sad 'imagenet': there is none"),
        ("lane-resnet18", {"weights": "imagenette"}, "unknown weights of lane-resnet18 .* did you mean imagenet"),
        ("lane-tiny", {"classes": 1}, "expected the background and at least one lane, got 1 classes"),
    ],
)
def test_mistakes_get_one_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        lane_net(name, **{"classes": 5, **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
