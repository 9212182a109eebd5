"""A teacher of one's own: whatever turns a lesson into activations.

This one looks twice, at the image and at its mirror image, and answers with the mean of both. It inherits being frozen:
no gradients, evaluation mode for ever, absent from the optimizer and the checkpoint.
"""

from dataclasses import replace

import torch
from torch import nn

from pupil import Activations, Distiller, FrozenTeacher, Lesson, Tapped, Term, outputs
from pupil.losses import KDLoss


class MirrorTeacher(FrozenTeacher):
    def forward(self, lesson: Lesson) -> Activations:
        straight = super().forward(lesson)
        mirrored = super().forward(replace(lesson, image=lesson.image.flip(-1)))
        return Activations((straight.output + mirrored.output.flip(-1)) / 2)


def network(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 6, 1))


torch.manual_seed(0)
teacher, student = network(32), network(8)  # in earnest, the teacher has been trained
distiller = Distiller(Tapped(student), MirrorTeacher(teacher), {"kd": Term(KDLoss(), outputs)})
optimizer = torch.optim.Adam(distiller.parameters(), lr=0.02)


def agreement() -> float:
    shown = distiller.lesson(torch.rand(16, 3, 16, 16))
    return (shown.student.output.argmax(1) == shown.teacher.output.argmax(1)).float().mean().item()


print(f"before: student and teacher name the same class at {agreement():.0%} of the positions")
for _ in range(60):
    terms = distiller(torch.rand(8, 3, 16, 16))  # no labels: the teacher is all there is to learn from
    terms["kd"].backward()
    optimizer.step()
    optimizer.zero_grad()
print(f"after: at {agreement():.0%}")
