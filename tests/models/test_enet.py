from __future__ import annotations

import torch
from torch import Tensor, nn

from pupil.models.enet import Bottleneck, Down, ENetSAD, Up
from pupil.taps import Tapped

CLASSES = 5
PRELU = 1


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolution(channels: int, out: int, kernel: int, activation: int) -> int:
    """Parameters of a convolution without bias over so many positions, of its BatchNorm, and of its activation."""
    return channels * out * kernel + 2 * out + activation


def bottleneck(channels: int, asymmetric: bool = False, activation: int = PRELU) -> int:
    narrow = channels // 4
    middle = (
        2 * convolution(narrow, narrow, 5, activation) if asymmetric else convolution(narrow, narrow, 9, activation)
    )
    around = convolution(channels, narrow, 1, activation) + convolution(narrow, channels, 1, activation)
    return around + middle + activation


def down(channels: int, out: int) -> int:
    narrow = channels // 4
    first = convolution(channels, narrow, 4, PRELU) + convolution(narrow, narrow, 9, PRELU)
    return first + convolution(narrow, out, 1, PRELU) + PRELU


def up(channels: int, out: int) -> int:
    narrow = channels // 4
    body = convolution(channels, narrow, 1, 0) + convolution(narrow, narrow, 4, 0) + convolution(narrow, out, 1, 0)
    return convolution(channels, out, 1, 0) + body


CYCLE = 6 * bottleneck(128) + 2 * bottleneck(128, asymmetric=True)
ENCODER = (3 * 13 * 9 + 2 * 16 + PRELU) + down(16, 64) + 4 * bottleneck(64) + down(64, 128) + 3 * CYCLE
DECODER = up(256, 64) + 2 * bottleneck(64, activation=0) + up(64, 16) + bottleneck(16, activation=0) + 16 * CLASSES * 9


def test_number_of_parameters() -> None:
    model = ENetSAD(CLASSES, (208, 976))
    assert count(model.encoder) == ENCODER
    assert count(model.decoder) == DECODER
    assert count(model) == ENCODER + DECODER + 545_257 == 1_074_391
    assert count(ENetSAD(CLASSES, (208, 976), existence=False)) == 529_134


def test_the_rebuild_differs_by_its_existence_branch_alone() -> None:
    """Known of it: 1.04 million with own weights, 0.75 with blocks 2 to 4 shared, 0.51 in the existence branch."""
    plain = ENetSAD(CLASSES, (208, 976), existence=False)
    branch = (128 * CLASSES + CLASSES) + (3965 + 1) * 128 + (128 + 1) * 4
    assert round(branch / 1e6, 2) == 0.51
    assert round((count(plain) + branch) / 1e6, 2) == 1.04
    assert round((count(plain) + branch - count(plain.encoder.block3) - count(plain.encoder.block4)) / 1e6, 2) == 0.75


def test_bottlenecks_of_blocks_2_to_4() -> None:
    model = ENetSAD(CLASSES, (32, 32))
    for block in (model.encoder.block2, model.encoder.block3, model.encoder.block4):
        middle = [[layer for layer in each.body if isinstance(layer, nn.Conv2d)][1:-1] for each in block]
        assert [tuple(layer.kernel_size for layer in layers) for layers in middle] == [
            ((3, 3),),
            ((3, 3),),
            ((5, 1), (1, 5)),
            ((3, 3),),
            ((3, 3),),
            ((3, 3),),
            ((5, 1), (1, 5)),
            ((3, 3),),
        ]
        assert [layers[0].dilation[0] for layers in middle] == [1, 2, 1, 4, 1, 8, 1, 16]


def test_the_encoder_shows_its_last_block() -> None:
    shown = Tapped(ENetSAD(CLASSES, (32, 32)).eval(), ["encoder", "encoder.block4"])(torch.rand(1, 3, 32, 32)).features
    assert torch.equal(shown["encoder"], shown["encoder.block4"])


def test_dropout_and_activations() -> None:
    model = ENetSAD(CLASSES, (32, 32))
    rates = {
        name: {layer.p for layer in part.modules() if isinstance(layer, nn.Dropout2d)}
        for name, part in [*model.encoder.named_children(), ("decoder", model.decoder)]
    }
    assert rates.pop("initial") == set()
    assert rates.pop("down1") == rates.pop("block1") == {0.01}
    assert all(rate == {0.1} for rate in rates.values())
    kinds = {True: nn.PReLU, False: nn.ReLU}
    for part, learned in ((model.encoder, True), (model.decoder, False)):
        assert any(isinstance(layer, kinds[learned]) for layer in part.modules())
        assert not any(isinstance(layer, kinds[not learned]) for layer in part.modules())


def silenced(part: nn.Module) -> nn.Module:
    """The same with a body that adds nothing, so that its shortcut shows."""
    part.body = nn.Sequential(Zero())
    return part.eval()


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(())


@torch.no_grad()
def test_down_keeps_the_maxima_and_up_puts_them_back() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 4, 6, 8)
    shown, places = silenced(Down(4, 8, 0.1))(image)
    expected = torch.stack([image[0, :, y : y + 2, x : x + 2].amax((1, 2)) for y in (0, 2, 4) for x in (0, 2, 4, 6)])
    torch.testing.assert_close(shown[0, :4].flatten(1), expected.T)
    assert shown.shape == (1, 8, 3, 4)
    assert not shown[0, 4:].any()
    up = silenced(Up(4, 4, 0.1))
    up.shortcut = nn.Identity()
    restored = up(shown[:, :4], places)
    torch.testing.assert_close(restored[restored > 0], image[restored > 0])
    assert (restored > 0).sum() == 4 * 3 * 4
    kept = torch.nn.functional.max_pool2d(restored, 2)
    torch.testing.assert_close(kept, shown[:, :4])


@torch.no_grad()
def test_the_shortcut_of_a_bottleneck_is_what_came_in() -> None:
    x = torch.rand(1, 8, 3, 3)
    torch.testing.assert_close(silenced(Bottleneck(8, 0.1))(x), x)


def test_who_reads_which_block() -> None:
    model = ENetSAD(CLASSES, (32, 32)).eval()
    shown: dict[str, Tensor] = {}
    for name in ("block2", "block3", "block4"):
        getattr(model.encoder, name).register_forward_hook(lambda _, __, out, name=name: shown.update({name: out}))
    received: dict[str, Tensor] = {}
    for name in ("encoder.block3", "encoder.block4", "decoder", "existence"):
        model.get_submodule(name).register_forward_pre_hook(lambda _, args, name=name: received.update({name: args[0]}))
    model(torch.rand(1, 3, 32, 32))
    assert received["encoder.block3"] is shown["block2"]
    assert received["encoder.block4"] is shown["block3"]
    assert received["existence"] is shown["block4"]
    torch.testing.assert_close(received["decoder"], torch.cat([shown["block3"], shown["block4"]], dim=1))
