"""CS-KD: the student says of an image what it says of another image of the same class.

Legend: N images, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_channels, check_temperature
from pupil.functional.kl import kl_divergence
from pupil.paper import Paper


def cs_kd_loss(student: Tensor, *, temperature: float = 4.0) -> Tensor:
    """KL divergence between the softened predictions of two images of one class, the second of which is the target.

    L = temperature² mean over the N / 2 pairs of KL(p(second) || p(first)),  p = softmax(logits / temperature)

    Args:
        student: logits of a batch laid out in pairs: the first half, then an image of the same class for each in the
            same order. The second half gets no gradient.
        temperature: softens both predictions; 4 in the paper.

    Shape:
        student: (N, K) with N even; returns a scalar.

    Raises:
        UsageError: for logits of another rank, an odd number of images, or a temperature <= 0.

    Reference:
        S. Yun, J. Park, K. Lee, J. Shin, "Regularizing Class-wise Predictions via Self-knowledge Distillation", CVPR
        2020, code alinlab/cs-kd. Paper and code agree on the formula, and on a weight of 1 beside a cross-entropy of
        the first half alone. The code shows the halves to the network one after the other, so that batch normalisation
        sees each by itself; how a batch is shown is the caller's choice here.

    Example:
        >>> import torch
        >>> cs_kd_loss(torch.tensor([[0.0, 0.0], [0.0, 4.0]]))
        tensor(1.7751)
    """
    check_temperature(temperature)
    if student.dim() != 2 or len(student) % 2 or not len(student):
        raise UsageError(
            f"expected logits (N, K) of pairs, N even, got {tuple(student.shape)}: lay the batch out with "
            "AnchoredBatches(positives=1), and choose a batch size that leaves pairs whole"
        )
    check_channels(student, at_least=2, because="softmax over one class is constant")
    first, second = student.chunk(2)
    return kl_divergence(first, second, dim=1, temperature=temperature).mean() * temperature**2


class CSKDLoss(nn.Module):
    """Class-wise self-knowledge distillation on a batch of pairs, see :func:`cs_kd_loss`.

    Args:
        temperature: softens both predictions.

    Shape:
        student: (N, K) with N even; returns a scalar.

    Example:
        >>> import torch
        >>> CSKDLoss()(torch.zeros(4, 10))
        tensor(0.)
    """

    paper = Paper(
        title="Regularizing Class-wise Predictions via Self-knowledge Distillation",
        authors="S. Yun, J. Park, K. Lee, J. Shin",
        venue="CVPR",
        year=2020,
        url="https://arxiv.org/abs/2003.13964",
        code="alinlab/cs-kd",
    )

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, student: Tensor) -> Tensor:
        return cs_kd_loss(student, temperature=self.temperature)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}"
