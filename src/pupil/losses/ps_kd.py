"""PS-KD: the labels are softened by what the student itself said some time ago, the more so the further it has come.

Legend: N images, K classes, and any positions `...` after them (none, L, H x W).
"""

from __future__ import annotations

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_channels, check_same_shape
from pupil.functional.labels import IGNORED, label_probabilities, soft_cross_entropy
from pupil.functional.masking import masked_mean
from pupil.functional.precision import precise
from pupil.paper import Paper


def ps_kd_loss(
    student: Tensor, teacher: Tensor, target: Tensor, trust: float, *, ignore_index: int = IGNORED
) -> Tensor:
    """Cross-entropy to a mixture of the labels and the past student's predictions.

    L = mean over images and labelled positions of CE(softmax(student), (1 - trust) onehot + trust softmax(teacher)),
        trust = 0.8 t / T in epoch t of T

    Args:
        student: logits.
        teacher: logits of the student as it was, for the same images; they get no gradient.
        target: class ids; or probabilities, as mixed images have them.
        trust: how much the past counts now, in [0, 1]; 0 is the ordinary cross-entropy.
        ignore_index: id of positions that count for nothing; probabilities that are all zeros count for nothing either.

    Shape:
        student, teacher: (N, K, ...); target: (N, ...) int64 or (N, K, ...); returns a scalar.

    Raises:
        UsageError: for different shapes, a target that does not fit, or a trust outside [0, 1].

    Reference:
        K. Kim, B. Ji, D. Yoon, S. Hwang, "Self-Knowledge Distillation with Progressive Refinement of Targets", ICCV
        2021, code lgcnsai/PS-KD-Pytorch. Paper and code agree on the formula. For the past predictions the paper has
        the student of the last epoch; the code keeps a table of what was said of each image in the last epoch, of
        another view, in training mode and by a student that was still changing, and begins with the labels.

    Example:
        >>> import torch
        >>> student, teacher = torch.zeros(1, 2), torch.tensor([[4.0, 0.0]])
        >>> ps_kd_loss(student, teacher, torch.tensor([1]), 0.4)
        tensor(0.6931)
    """
    check_same_shape(student, teacher, channels_fix="take the past of this very student")
    check_channels(student, at_least=2, because="softmax over one class is constant")
    if not 0.0 <= trust <= 1.0:
        raise UsageError(f"expected a trust in [0, 1], got {trust}: 0.8 * progress is the paper's")
    probabilities, labelled = label_probabilities(target, student, ignore_index)
    past = precise(teacher.detach()).softmax(dim=1)
    return masked_mean(soft_cross_entropy(student, (1.0 - trust) * probabilities + trust * past), labelled)


class PSKDLoss(nn.Module):
    """Progressive self-knowledge distillation, see :func:`ps_kd_loss`.

    Args:
        ignore_index: id of positions that count for nothing.

    Shape:
        student, teacher: (N, K, ...); target: (N, ...) int64 or (N, K, ...); trust: a number; returns a scalar.

    Example:
        >>> import torch
        >>> PSKDLoss()(torch.zeros(2, 4), torch.randn(2, 4), torch.tensor([0, 3]), 0.4)
        tensor(1.3863)
    """

    paper = Paper(
        title="Self-Knowledge Distillation with Progressive Refinement of Targets",
        authors="K. Kim, B. Ji, D. Yoon, S. Hwang",
        venue="ICCV",
        year=2021,
        url="https://arxiv.org/abs/2006.12000",
        code="lgcnsai/PS-KD-Pytorch",
    )

    def __init__(self, *, ignore_index: int = IGNORED) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor, trust: float) -> Tensor:
        return ps_kd_loss(student, teacher, target, trust, ignore_index=self.ignore_index)
