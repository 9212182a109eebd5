"""What every exported loss keeps to. A loss without a row in the table below fails the first test."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pupil.losses
from pupil.losses import (
    AIDLogitsLoss,
    AIDLoss,
    AttentionGuidedLoss,
    AttentionLoss,
    AttentionTransferLoss,
    BYOTLoss,
    CCKDLoss,
    ChannelSimilarityLoss,
    CIRKDLoss,
    CSDLoss,
    CSKDLoss,
    CWDLoss,
    DISTLoss,
    DKDLoss,
    FBKDLoss,
    FGDLoss,
    FGFILoss,
    HintLoss,
    ICSDLoss,
    IFVDLoss,
    KDLoss,
    NonLocalLoss,
    PairwiseLoss,
    PKDLoss,
    PKTLoss,
    PSDLoss,
    PSKDLoss,
    RKDLoss,
    SADLoss,
    SimilarityLoss,
    TfKDLoss,
)
from pupil.networks.global_context import GlobalContextBlock
from pupil.networks.non_local import NonLocalBlock
from pupil.paper import Paper

MAP = (2, 5, 8, 8)
WIDER = (2, 7, 8, 8)
LABELS = torch.arange(2 * 8 * 8).reshape(2, 8, 8) % 3
PYRAMID = {"p3": MAP, "p4": (2, 5, 4, 4)}
WIDER_PYRAMID = {"p3": WIDER, "p4": (2, 7, 4, 4)}
BOXES_AND_CLASSES = (((2, 6, 4, 8), (2, 6, 3)), ((2, 2, 4, 8), (2, 2, 3)))
TASK_LOSS = torch.tensor([[0.5, 2.0], [0.1, 1.0]])
BOXES = (torch.tensor([[4.0, 8.0, 40.0, 60.0], [0.0, 0.0, 9.0, 7.0]]), torch.zeros(0, 4))


@dataclass(frozen=True)
class Row:
    """How to build one loss and what to show it: the shapes of both networks, and what else it receives.

    The teacher is None where the loss asks for none.
    """

    build: Callable[[], nn.Module]
    student: Any = MAP
    teacher: Any = MAP
    others: tuple[Any, ...] = ()


def awake(loss: nn.Module) -> nn.Module:
    """These blocks are born as the identity, and their inner layers learn from the second step on."""
    for module in loss.modules():
        if isinstance(module, NonLocalBlock):
            nn.init.ones_(module.norm.weight)
        if isinstance(module, GlobalContextBlock):
            nn.init.normal_(module.transform[-1].weight)
    return loss


def fbkd() -> nn.Module:
    return awake(FBKDLoss({"p3": (5, 7), "p4": (5, 7)}, inner_channels=[4]))


def fgd(variant: str = "paper") -> nn.Module:
    return awake(FGDLoss({"p3": (5, 7), "p4": (5, 7)}, variant=variant))


def anchors(stride: int, size: int) -> Tensor:
    """One square at each position, of twice the stride."""
    y, x = torch.meshgrid(*[stride * torch.arange(size) + stride / 2] * 2, indexing="ij")
    return torch.stack([x - stride, y - stride, x + stride, y + stride], -1).flatten(0, 1)


ROWS = {
    "aid": Row(lambda: AIDLoss(fbkd()), PYRAMID, WIDER_PYRAMID, (TASK_LOSS,)),
    "aid_logits": Row(
        AIDLogitsLoss,
        BOXES_AND_CLASSES,
        BOXES_AND_CLASSES,
        ((TASK_LOSS, TASK_LOSS), (torch.full((2, 6), 0.1), torch.full((2, 2), 0.2))),
    ),
    "attention": Row(AttentionLoss, MAP, WIDER),
    "attention, code": Row(lambda: AttentionLoss(variant="code"), MAP, WIDER),
    "attention_guided": Row(lambda: AttentionGuidedLoss(5, 7), MAP, WIDER, (TASK_LOSS[0],)),
    "attention_guided, paper": Row(lambda: AttentionGuidedLoss(5, 7, variant="paper"), MAP, WIDER),
    "attention_transfer": Row(lambda: AttentionTransferLoss(5, 7), MAP, WIDER, (TASK_LOSS[0],)),
    "attention_transfer, paper": Row(lambda: AttentionTransferLoss(5, 5, variant="paper")),
    "byot": Row(
        lambda: BYOTLoss([5, 7], 6, 3, strides=[2, 1]), (MAP, (2, 7, 4, 4)), ((2, 6), (2, 3)), (LABELS[:, 0, 0],)
    ),
    "byot, dense": Row(lambda: BYOTLoss([5], 6, 3), (MAP,), ((2, 6, 4, 4), (2, 3, 4, 4)), (LABELS,)),
    "cckd": Row(CCKDLoss, (4, 5), (4, 7)),
    "cckd, maps": Row(CCKDLoss, MAP, WIDER),
    "cckd, cells": Row(lambda: CCKDLoss(instances="grid", kernel="cosine"), MAP, WIDER),
    "cckd, radial": Row(lambda: CCKDLoss(kernel="rbf", normalize=True), (4, 5), (4, 7)),
    "cckd, means": Row(lambda: CCKDLoss(kernel="mmd"), (4, 5), (4, 7)),
    "cckd, neighbours": Row(lambda: CCKDLoss(variant="neighbour"), (4, 5), (4, 5)),
    "cckd, embedded": Row(lambda: CCKDLoss(5, 7, dims=4), MAP, WIDER),
    "channel similarity": Row(ChannelSimilarityLoss),
    "cirkd": Row(CIRKDLoss, MAP, WIDER),
    "cs_kd": Row(CSKDLoss, (4, 5), None),
    "csd": Row(CSDLoss),
    "cwd": Row(CWDLoss),
    "cwd, spatial": Row(lambda: CWDLoss(variant="spatial_kl")),
    "cwd, squares": Row(lambda: CWDLoss(variant="channel_mse")),
    "cwd, means": Row(lambda: CWDLoss(variant="channel_mean_mse")),
    "cwd, adapted": Row(lambda: CWDLoss(5, 7), MAP, WIDER),
    "dist": Row(lambda: DISTLoss(temperature=4.0)),
    "dist, vectors": Row(DISTLoss, (4, 5), (4, 5)),
    "dkd": Row(DKDLoss, MAP, MAP, (LABELS,)),
    "dkd, vectors": Row(DKDLoss, (4, 5), (4, 5), (torch.tensor([0, 3, 255, 1]),)),
    "fbkd": Row(fbkd, PYRAMID, WIDER_PYRAMID),
    "fgd": Row(fgd, PYRAMID, WIDER_PYRAMID, (BOXES, (64, 64), TASK_LOSS)),
    "fgd, code": Row(lambda: fgd("code"), PYRAMID, WIDER_PYRAMID, (BOXES, (64, 64))),
    "fgfi": Row(
        lambda: FGFILoss({"p3": (5, 7), "p4": (5, 7)}),
        PYRAMID,
        WIDER_PYRAMID,
        (BOXES, {"p3": anchors(8, 8), "p4": anchors(16, 4)}, TASK_LOSS),
    ),
    "hint": Row(lambda: HintLoss(5, 7), MAP, WIDER),
    "hint, equal channels": Row(lambda: HintLoss(adapter=nn.Identity())),
    "hint, tokens": Row(lambda: HintLoss(5, 7, dims=3), (2, 9, 5), (2, 9, 7)),
    "hint, vectors": Row(lambda: HintLoss(5, 7, dims=2), (4, 5), (4, 7)),
    "icsd": Row(ICSDLoss),
    "icsd, mirrored": Row(lambda: ICSDLoss(variant="textbook_mirrored")),
    "icsd, flat": Row(lambda: ICSDLoss(variant="flat")),
    "icsd, height": Row(lambda: ICSDLoss(variant="height")),
    "ifvd": Row(lambda: IFVDLoss(classes=3), MAP, WIDER, (LABELS,)),
    "kd": Row(lambda: KDLoss(temperature=4.0)),
    "kd, mean over images": Row(lambda: KDLoss(reduction="batch")),
    "kd, mean over elements": Row(lambda: KDLoss(reduction="element")),
    "kd, vectors": Row(KDLoss, (4, 5), (4, 5)),
    "non_local": Row(lambda: awake(NonLocalLoss(5, 7, inner_channels=4)), MAP, WIDER, (TASK_LOSS[0],)),
    "pairwise": Row(PairwiseLoss),
    "pairwise, wider teacher": Row(lambda: PairwiseLoss(patch=1), MAP, WIDER),
    "pairwise, softmax": Row(lambda: PairwiseLoss(patch=1, affinity="softmax"), MAP, WIDER),
    "pairwise, sigmoid": Row(lambda: PairwiseLoss(patch=1, affinity="sigmoid"), MAP, WIDER),
    "pairwise, journal code": Row(lambda: PairwiseLoss(pool="max", patch=0.25, norm_gradient=False), MAP, WIDER),
    "pairwise, precise": Row(lambda: PairwiseLoss(patch=1, precise=True), MAP, WIDER),
    "pkd": Row(PKDLoss, MAP, MAP, (TASK_LOSS[0],)),
    "pkd, adapted": Row(lambda: PKDLoss(5, 7), MAP, WIDER),
    "pkt": Row(PKTLoss, (4, 5), (4, 7)),
    "pkt, code": Row(lambda: PKTLoss(variant="code"), (4, 5, 2, 2), (4, 9, 7)),
    "ps_kd": Row(PSKDLoss, MAP, MAP, (LABELS, 0.4)),
    "psd": Row(PSDLoss, (MAP, WIDER, MAP), (MAP, WIDER, MAP)),
    "rkd": Row(RKDLoss, (4, 5), (4, 7)),
    "rkd, maps": Row(RKDLoss, (4, 5, 2, 2), (4, 9, 7)),
    "sad": Row(SADLoss, MAP, (2, 7, 4, 6)),
    "sad, element": Row(lambda: SADLoss(reduction="element", variant="absolute", size=(4, 6)), MAP, WIDER),
    "sad, maximum": Row(lambda: SADLoss(variant="maximum"), MAP, WIDER),
    "similarity": Row(SimilarityLoss, MAP, WIDER),
    "tf_kd": Row(TfKDLoss, MAP, None, (LABELS,)),
    "tf_kd, code": Row(lambda: TfKDLoss(variant="code"), MAP, None, (LABELS,)),
}
EXPORTED = {name: getattr(pupil.losses, name) for name in pupil.losses.__all__}
CLASSES = {name: thing for name, thing in EXPORTED.items() if inspect.isclass(thing)}
FUNCTIONS = {name: thing for name, thing in EXPORTED.items() if inspect.isfunction(thing)}


def rows(choose=lambda loss: True):
    chosen = {name: row for name, row in ROWS.items() if choose(row.build())}
    return pytest.mark.parametrize("row", chosen.values(), ids=chosen)


def takes_a_mask(loss):
    return "valid" in inspect.signature(loss.forward).parameters


every_row = rows()
# Autocast is free to run an adapter in half precision.
every_row_without_adapter = rows(lambda loss: not list(loss.parameters()))
every_row_with_mask = rows(takes_a_mask)


def tensors(shapes, dtype, scale):
    """Random tensors of one shape, or of several by place or name; `scale` is their largest absolute value."""
    if isinstance(shapes, dict):
        return {name: tensors(shape, dtype, scale) for name, shape in shapes.items()}
    if isinstance(shapes[0], tuple):
        return tuple(tensors(shape, dtype, scale) for shape in shapes)
    return (scale * (2 * torch.rand(shapes) - 1)).to(dtype).requires_grad_()


def show(row, dtype=torch.float32, scale=3.0):
    torch.manual_seed(0)
    shapes = [row.student] if row.teacher is None else [row.student, row.teacher]
    return *(tensors(each, dtype, scale) for each in shapes), *row.others


def build(row):
    torch.manual_seed(1)
    return row.build()


def full(shown):
    """The same numbers in float32; labels and settings as they are."""
    if isinstance(shown, dict):
        return {name: full(each) for name, each in shown.items()}
    if isinstance(shown, tuple):
        return tuple(full(each) for each in shown)
    return shown.float() if isinstance(shown, Tensor) and shown.is_floating_point() else shown


def leaves(shown):
    """The tensors of both networks, or of one, that could receive a gradient."""
    if isinstance(shown, dict):
        return leaves(tuple(shown.values()))
    if isinstance(shown, tuple):
        return [leaf for each in shown for leaf in leaves(each)]
    return [shown] if isinstance(shown, Tensor) and shown.requires_grad else []


def strided(shown):
    """The same numbers with their last two dimensions the other way round in memory."""
    if isinstance(shown, dict):
        return {name: strided(each) for name, each in shown.items()}
    if isinstance(shown, tuple):
        return tuple(strided(each) for each in shown)
    return shown.mT.contiguous().mT if isinstance(shown, Tensor) and shown.requires_grad else shown


def test_every_exported_loss_has_a_row():
    visited = {type(row.build()).__name__ for row in ROWS.values()}
    assert visited == set(CLASSES)
    assert len(CLASSES) >= 12


def test_exports_are_sorted_losses_and_functions():
    assert pupil.losses.__all__ == sorted(pupil.losses.__all__)
    assert {*CLASSES, *FUNCTIONS} == set(EXPORTED)
    assert all(name.endswith("Loss") and issubclass(each, nn.Module) for name, each in CLASSES.items())


@every_row
def test_scalar_with_a_gradient_for_the_student_alone(row):
    loss, shown = build(row), show(row)
    value = loss(*shown)
    value.backward()
    assert value.shape == ()
    assert value > 0
    student, *others = shown
    assert all(each.grad is not None and each.grad.any() for each in [*leaves(student), *loss.parameters()])
    assert all(each.grad is None for each in leaves(tuple(others)))


@every_row
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e3, 1e4])
def test_finite_for_extreme_logits_under_autocast(row, dtype, scale):
    loss, shown = build(row), show(row, dtype, scale)
    with torch.autocast("cpu", dtype=dtype):
        value = loss(*shown)
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    # An adapter runs in half precision under autocast; the overflow of its own gradient is the gradient scaler's.
    assert all(each.grad.isfinite().all() for each in leaves(shown[0]))


@every_row_without_adapter
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_types_and_autocast_change_no_digit(row, dtype, autocast):
    loss, shown = build(row), show(row, dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        value = loss(*shown)
    torch.testing.assert_close(value, loss(*full(shown)), rtol=1e-6, atol=0)


@every_row
def test_float64_stays_float64(row):
    loss, shown = build(row).double(), show(row, torch.float64)
    assert loss(*shown).dtype == torch.float64


@every_row
def test_any_memory_layout_and_inputs_left_alone(row):
    loss, shown = build(row), show(row)
    before = [each.detach().clone() for each in leaves(shown)]
    torch.testing.assert_close(loss(*strided(shown)), loss(*shown))
    torch.testing.assert_close(leaves(shown), before, rtol=0, atol=0)


@every_row
def test_state_survives_saving_copying_and_pickling(row):
    loss, shown = build(row), show(row)
    restored = row.build()
    restored.load_state_dict(loss.state_dict(), strict=True)
    for other in (restored, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(other(*shown), loss(*shown))


@every_row_with_mask
def test_a_mask_without_a_valid_position_gives_zero(row):
    loss, shown = build(row), show(row)
    nothing = torch.zeros(row.student[0], *row.student[2:], dtype=torch.bool)
    value = loss(*shown, nothing)
    value.backward()
    assert value == 0
    assert not shown[0].grad.any()


@pytest.mark.parametrize("name", CLASSES)
def test_module_cites_its_paper_and_documents_its_shapes(name):
    paper, text = CLASSES[name].paper, inspect.getdoc(CLASSES[name])
    assert isinstance(paper, Paper)
    assert paper.title
    assert paper.url.startswith("https://")
    settings = inspect.signature(CLASSES[name]).parameters if "__init__" in vars(CLASSES[name]) else {}
    needed = ["Shape:", "Example:", *(["Args:"] if settings else [])]
    assert [section for section in needed if section not in text] == []
    assert [setting for setting in settings if f"{setting}:" not in text] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_documents_itself_in_the_fixed_order(name):
    text = inspect.getdoc(FUNCTIONS[name])
    places = [text.find(f"\n{section}:\n") for section in ("Args", "Shape", "Raises", "Reference", "Example")]
    assert -1 not in places
    assert places == sorted(places)
    assert [each for each in inspect.signature(FUNCTIONS[name]).parameters if f"{each}:" not in text] == []
