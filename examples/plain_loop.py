"""A loss in anybody's loop: two tensors in, one number out, and nothing else to adopt.

Two networks find a disc in noise. The student has a tenth of the teacher's weights, and learns from the labels and
from what the teacher thinks of every pixel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.losses import kd_loss


def discs(count: int) -> tuple[Tensor, Tensor]:
    """Noisy images (N, 1, 16, 16) of one disc each, and which pixels it covers (N, 16, 16)."""
    row, column = torch.arange(16.0)[:, None], torch.arange(16.0)
    centre = 16 * torch.rand(2, count, 1, 1)
    inside = (row - centre[0]) ** 2 + (column - centre[1]) ** 2 < 25
    return inside[:, None] + torch.randn(count, 1, 16, 16), inside.long()


def network(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.Conv2d(width, 2, 5, padding=2))


torch.manual_seed(0)
teacher, student = network(20), network(2)

for model in (teacher, student):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        image, target = discs(16)
        logits = model(image)
        loss = F.cross_entropy(logits, target)
        if model is student:
            with torch.no_grad():
                teacher_logits = teacher(image)
            loss = loss + kd_loss(logits, teacher_logits, temperature=2.0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

image, target = discs(256)
for name, model in {"teacher": teacher, "student": student}.items():
    print(f"{name}: {(model(image).argmax(1) == target).float().mean():.1%} of the pixels right")
