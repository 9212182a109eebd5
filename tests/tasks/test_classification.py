from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Lesson
from pupil.models import PLAIN, Preprocessing, attach
from pupil.tasks.classification import ClassificationTask


class Answers(nn.Module):
    """A network that says what it was told to, whatever it sees."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, image: Tensor) -> object:
        self.seen = image
        return self.answer


LOGITS = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
TASK = ClassificationTask(["cat", "dog"])
IMAGE = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("answer", [LOGITS, {"logits": LOGITS}, {"out": LOGITS}, (LOGITS, 2 * LOGITS)])
def test_every_form_of_an_answer(answer: object) -> None:
    shown = TASK.call(Answers(answer), IMAGE)
    assert torch.equal(shown.output, LOGITS)
    assert ("aux" in shown.features) == isinstance(answer, tuple)


def test_images_are_normalised_as_the_network_wants() -> None:
    model = attach(Answers(LOGITS), Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))
    TASK.call(model, IMAGE)
    torch.testing.assert_close(model.seen, (IMAGE - 0.5) / 0.5)
    TASK.call(attach(model, PLAIN), IMAGE)
    assert torch.equal(model.seen, IMAGE)


def test_a_network_of_other_classes_answers_in_the_tasks() -> None:
    model = Answers(torch.tensor([[1.0, 2.0, 3.0]]))
    model.classes = ("dog", "bird", "cat")  # type: ignore[assignment]
    assert TASK.call(model, IMAGE[:1]).output.tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize("logits", [torch.zeros(2, 3), torch.zeros(2, 2, 4, 4)])
def test_logits_of_another_shape_are_refused(logits: Tensor) -> None:
    with pytest.raises(UsageError, match=r"expected logits \(N, 2\) for 2 classes, got .*: build a classifier"):
        TASK.call(Answers(logits), IMAGE)


def test_probabilities_and_scores() -> None:
    probabilities = TASK.predict(Answers(LOGITS), IMAGE)
    torch.testing.assert_close(probabilities, LOGITS.softmax(dim=1))
    scores = TASK.metrics()
    scores.update(probabilities, torch.tensor([1, 1]))
    assert scores.compute()["accuracy"] == 0.5


def test_the_objective_reads_the_lesson() -> None:
    loss, inputs = TASK.objective(label_smoothing=0.2)
    lesson = Lesson(IMAGE, torch.tensor([1, 0]), TASK.call(Answers(LOGITS), IMAGE))
    expected = nn.functional.cross_entropy(LOGITS, torch.tensor([1, 0]), label_smoothing=0.2)
    torch.testing.assert_close(loss(*inputs(lesson)), expected)


def test_pictures_say_what_was_found() -> None:
    picture = TASK.draw(IMAGE[0], torch.tensor([0.2, 0.8]))
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, 224 + 24, 224)
    assert TASK.draw(IMAGE[0], torch.tensor([0.2, 0.8]), torch.tensor(0)).shape == (3, 224 + 48, 224)
    assert not torch.equal(picture, TASK.draw(IMAGE[0], torch.tensor(0)))
    assert torch.equal(picture[:, ::28, ::28][:, :8], (IMAGE[0] * 255).round().to(torch.uint8))


def test_one_class_is_no_task() -> None:
    with pytest.raises(UsageError, match="at least two classes"):
        ClassificationTask(["cat"])
