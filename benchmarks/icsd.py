"""ICSD as matrix products against the loop over pairs of classes: forward and backward, in float32 on the CPU.

The loop is the form of the released code: one divergence for each pair i <= j and each of the two networks.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
import torch.nn.functional as F
from side_by_side import forward_and_backward, machine, report, side_by_side
from torch import Tensor

from pupil.losses import icsd_loss

# The variant that fills in the same pairs as the loop; the default fills in all of them.
by_products = partial(icsd_loss, variant="textbook_mirrored")
SIZES = [(1, 21, 513, 513, 10.0), (1, 150, 65, 65, 100.0)]


def similarity_by_loop(logits: Tensor) -> Tensor:
    logarithms = logits.flatten(2).log_softmax(dim=2)
    maps = logarithms.exp()
    classes = logits.shape[1]
    rows = [[maps.new_zeros(()) for _ in range(classes)] for _ in range(classes)]
    for i in range(classes):
        for j in range(i, classes):
            divergence = F.kl_div(logarithms[:, i], maps[:, j], reduction="batchmean")
            rows[i][j] = rows[j][i] = divergence
    return torch.stack([torch.stack(row) for row in rows])


def icsd_by_loop(student: Tensor, teacher: Tensor) -> Tensor:
    ours = F.normalize(similarity_by_loop(student), dim=1)
    with torch.no_grad():
        theirs = F.normalize(similarity_by_loop(teacher), dim=1)
    return (ours - theirs).square().mean() / len(student)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often both are timed")
    rounds = parser.parse_args().rounds
    # On a busy machine every parallel region waits for its last thread, and the loop has thousands of them.
    torch.set_num_threads(1)
    print(machine())
    for *shape, at_least in SIZES:
        torch.manual_seed(0)
        student, teacher = 3 * torch.randn(2, *shape)
        student.requires_grad_()
        loop, products = (partial(forward_and_backward, loss, student, teacher) for loss in (icsd_by_loop, by_products))
        torch.testing.assert_close(loop(), products(), rtol=1e-3, atol=0)
        title = f"icsd, {shape[1]} classes, {shape[2]} x {shape[3]}"
        report(title, side_by_side(loop, products, rounds), at_least)


if __name__ == "__main__":
    main()
