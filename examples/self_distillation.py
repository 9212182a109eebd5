"""Self-distillation in a loop of one's own: each batch is its own teacher, and no other network is asked (BAKE).

Each target is blended with what the student says of similar images; so every anchor comes with three of its class.
"""

import torch
from torch import Tensor, nn

from pupil import Distiller, Tapped, Term, outputs, supervised
from pupil.data.class_batches import AnchoredBatches
from pupil.losses import KDLoss
from pupil.teachers import BatchEnsembleTeacher

CLASSES, TEMPERATURE = 8, 4.0


def images(count: int) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 8, 8) of stripes in noise, and the class of each: how narrow they are."""
    label = torch.arange(count) % CLASSES
    phase = torch.rand(count, 1, 1, 1) + torch.linspace(0.0, 0.5, 8) * label[:, None, None, None]
    return (2 * torch.pi * phase).sin() + 0.5 * torch.randn(count, 1, 8, 8), label


torch.manual_seed(0)
image, target = images(320)
layers = nn.Conv2d(1, 32, (1, 8)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, CLASSES)
student = nn.Sequential(*layers)
distiller = Distiller(
    Tapped(student, ["4:in"]),  # what the last linear layer receives
    BatchEnsembleTeacher("4:in", temperature=TEMPERATURE),
    {
        "task": Term(nn.CrossEntropyLoss(), supervised),
        "bake": Term(KDLoss(temperature=TEMPERATURE), outputs),
    },
)
optimizer = torch.optim.Adam(distiller.parameters(), lr=0.02)
batches = AnchoredBatches(len(image), 32, labels=target, positives=3, steps=150, seed=0)

for step, batch in enumerate(batches):
    index = [place for place, view in batch]  # the view is a seed, for a data set that augments
    terms = distiller(image[index], target[index])
    sum(terms.values()).backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 50 == 49:
        print(f"step {step + 1}: " + ", ".join(f"{name} {term.detach():.3f}" for name, term in terms.items()))

image, target = images(800)
print(f"{(student(image).argmax(1) == target).float().mean():.0%} of new images right")
