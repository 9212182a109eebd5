"""A loss of one's own: any module that takes what the student and the teacher showed.

It may own an adapter, which trains with the student and stays behind when the student is saved.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil import Distiller, FrozenTeacher, Tapped, Term, features, supervised
from pupil.schedules import cosine


class DirectionLoss(nn.Module):
    """At every position, the student's feature points where the teacher's does: the mean of 1 - cos(angle)."""

    def __init__(self, channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.adapter = nn.Conv2d(channels, teacher_channels, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (1.0 - F.cosine_similarity(self.adapter(student), teacher.detach())).mean()


def network(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


torch.manual_seed(0)
teacher, student = network(32), network(8)  # in earnest, the teacher has been trained
distiller = Distiller(
    Tapped(student, ["1"]),
    FrozenTeacher(teacher, ["1"]),
    {
        "task": Term(nn.CrossEntropyLoss(), supervised),
        "direction": Term(DirectionLoss(8, 32), features("1"), weight=cosine(1.0, 0.0)),  # fades
    },
)
optimizer = torch.optim.Adam(distiller.parameters(), lr=0.01)  # the student's and the adapter's, never the teacher's

for step in range(60):
    image = torch.randn(16, 3, 8, 8)
    target = image.mean((2, 3)).argmax(1)  # which colour is strongest
    terms = distiller(image, target, progress=step / 60)
    sum(terms.values()).backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 20 == 19:
        print(f"step {step + 1}: " + ", ".join(f"{name} {term.detach():.3f}" for name, term in terms.items()))
