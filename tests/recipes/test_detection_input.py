"""What the command says about detection data, networks and classes that are not as they should be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from command import Ended, pupil
from data.detection.box_layouts import (
    coco_record,
    voc_object,
    write_coco_layout,
    write_kitti_layout,
    write_voc_layout,
)
from data.layouts import lines, picture
from data.miniature import save
from pupil.run import Run

SMALL = "?min_size=64&max_size=96"
STUDENT = f"pupil:tiny-retinanet{SMALL}"
FEATURES = ("mimic", "fbkd", "pkd", "fgd")  # methods that compare features alone
CAR, PERSON = "1 0.5 0.5 0.5 0.5", "0 0.1 0.25 0.1 0.1"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(*words: object) -> Ended:
    small = ("--smoke", "--device", "cpu", "--scene-size", "64x96", "--batch-size", 2, "--steps", 2)
    return pupil("train", "detection", *small, "--student", STUDENT, "--out", "run", *words)


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of cars, persons and signs."""
    folder = tmp_path_factory.mktemp("runs") / "expert"
    ended = train("--out", folder)
    assert ended.code == 0, ended.err
    return folder


def refused(ended: Ended, *said: str) -> bool:
    """Whether a command ended with one line that says what was expected, what came, and what to do about it."""
    form = r"pupil: (.+: )?(expected .+, got .+: .+|unknown .+: (expected one of|did you mean) .+)\n"
    return ended.code == 2 and bool(re.fullmatch(form, ended.err)) and all(each in ended.err for each in said)


def yolo(names: str = "person, car", train: tuple[str, ...] = (CAR,), val: tuple[str, ...] = (CAR,)) -> Path:
    """Two images to train on and two to validate, all with these lines."""
    for split, labels in {"train": train, "val": val}.items():
        for index in range(2):
            save(Path("yolo/images") / split / f"{index}.jpg", picture((40, 60), index))
            lines(Path("yolo/labels") / split / f"{index}.txt", list(labels))
    lines(Path("yolo/data.yaml"), [f"names: [{names}]"])
    return Path("yolo")


@pytest.mark.slow
def test_boxes_outside_are_cut_and_those_without_area_left_out_both_counted() -> None:
    outside, inverted, flat = (voc_object("car", *box) for box in ((-9, 3, 30, 90), (20, 9, 3, 20), (9, 9, 30, 8)))
    root = write_voc_layout(Path("voc"), {"train_0": [outside, inverted], "train_2": [flat]})
    ended = train("--data", root)
    assert ended.code == 0, ended.err
    assert (
        "1 box cut to its image, 2 boxes without area left out, the first in voc/Annotations/train_0.xml" in ended.out
    )


def test_boxes_without_area_are_refused_when_strict() -> None:
    root = write_voc_layout(Path("voc"), {"val_1": [voc_object("car", 20, 9, 3, 20)]})
    ended = train("--data", root, "--strict")
    assert refused(ended, "inside the 60x40 image in voc/Annotations/val_1.xml", "as box 1: mend it"), ended.err
    assert not Path("run").exists()


@pytest.mark.slow
def test_images_that_cannot_be_read_are_left_out_of_training_and_scoring() -> None:
    root = yolo()
    for split in ("train", "val"):
        (root / "images" / split / "0.jpg").write_bytes(b"no image")
    ended = train("--data", root)
    assert (ended.code, "mend or remove it, or pass --skip-bad-images\n" in ended.err) == (2, True), ended.err
    ended = train("--data", root, "--skip-bad-images")
    assert ended.code == 0, ended.err
    left_out = "2 images that cannot be read left out: yolo/images/train/0.jpg, yolo/images/val/0.jpg"
    assert left_out in ended.out
    assert "1 image that cannot be read left out: yolo/images/val/0.jpg" in pupil("evaluate", "run").out


def half_empty(names: str = "person, car") -> Path:
    """One image of two without a box, so that batches of one have none."""
    root = yolo(names)
    for split in ("train", "val"):
        lines(root / "labels" / split / "0.txt", [])
    return root


@pytest.mark.slow
@pytest.mark.parametrize("family", ["retinanet", "fcos", "fasterrcnn"])
def test_images_without_boxes_are_valid(family: str) -> None:
    student = f"pupil:tiny-{family}{SMALL}"
    ended = train("--data", half_empty(), "--student", student, "--batch-size", 1, "--log-every", 1)
    assert ended.code == 0, ended.err
    losses = [row["terms"]["task"] for row in Run("run").metrics if "terms" in row]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["aid", "fgd"])
def test_images_without_boxes_teach(method: str, expert: Path) -> None:
    """Those of a method that looks at the boxes."""
    words = ("--method", method, "--teacher", expert, "--batch-size", 1, "--log-every", 1)
    ended = train("--data", half_empty("car, person, sign"), *words)
    assert ended.code == 0, ended.err
    terms = [row["terms"] for row in Run("run").metrics if "terms" in row]
    assert all(math.isfinite(each[method]) and each[method] > 0 for each in terms)


@pytest.mark.slow
def test_a_few_images_without_any_box_have_no_score() -> None:
    """The first of the validation images are all that a smoke run scores."""
    root = half_empty()
    for index in range(2, 10):
        save(root / f"images/val/{index:02}.jpg", picture((40, 60), index))
    (root / "labels/val/1.txt").rename(root / "labels/val/09.txt")
    ended = train("--data", root)
    assert ended.code == 0, ended.err


def broken_json() -> Path:
    root = write_coco_layout(Path("coco"))
    lines(root / "annotations/instances_val2017.json", ['{"images": [],', ' "annotations": [}'])
    return root


def unknown_id() -> Path:
    root = write_coco_layout(Path("coco"))
    record = coco_record(2, {1: "person"}, [(1, 5, [1, 1, 9, 9], 0)])
    lines(root / "annotations/instances_train2017.json", [json.dumps(record)])
    return root


def absent_image() -> Path:
    root = write_coco_layout(Path("coco"))
    (root / "train2017/002.jpg").unlink()
    return root


def listed_image_without_file() -> Path:
    root = write_kitti_layout(Path("kitti"), count=3)
    (root / "training/image_2/000001.png").unlink()
    return root


def broken_xml() -> Path:
    root = write_voc_layout(Path("voc"))
    lines(root / "Annotations/train_1.xml", ["<annotation>", "<object><name>car</object></annotation>"])
    return root


def broken_kitti() -> Path:
    root = write_kitti_layout(Path("kitti"), count=3)
    lines(root / "training/label_2/000001.txt", ["Car 0.00 0 -1.57 1 2 21 12 1.5 1.6 4 1 1 10 -1.6", "Car 0.00 0 1 2"])
    return root


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (broken_json, "JSON in coco/annotations/instances_val2017.json, got a broken file (Expecting value: line 2"),
        (unknown_id, "instances_train2017.json, annotations[0], got 5: "),
        (absent_image, "got none for 1 of 3, first coco/train2017/002.jpg: "),
        (listed_image_without_file, "got none for 1 of 1, first kitti/training/image_2/000001.png: "),
        (broken_xml, "voc/Annotations/train_1.xml, got a broken file (mismatched tag: line 2"),
        (broken_kitti, "in kitti/training/label_2/000001.txt, line 2, got 'Car 0.00 0 1 2': "),
        (
            lambda: yolo(train=(CAR, "2 0.5 0.5 0.5 0.5")),
            "a class from 0 to 1 in yolo/labels/train/0.txt, line 2, got 2: ",
        ),
        (lambda: yolo(val=(CAR, "1 0.5 0.5 half 0.5")), "in yolo/labels/val/0.txt, line 2, got '1 0.5 0.5 half 0.5': "),
        (
            lambda: yolo(val=("1 30 20 9 9",)),
            "shares of the image's size, from 0 to 1, in yolo/labels/val/0.txt, line 1",
        ),
        (lambda: yolo(train=()), "boxes of person, car in the training images, got none in 2: "),
        (lambda: yolo(val=()), "boxes of person, car in the val images, got none in 2: "),
        (lambda: yolo("car, car"), "class names that differ in yolo, got 'car' twice: "),
    ],
)
def test_broken_data_are_one_line_with_file_and_place(data: Callable[[], Path], said: str) -> None:
    ended = train("--data", data())
    assert refused(ended, said), ended.err
    assert not Path("run").exists()


def test_a_class_that_the_training_data_lack_is_named() -> None:
    root = write_voc_layout(Path("voc"), {"val_0": [voc_object("tractor", 1, 1, 9, 9)]})
    for name in ("train_0", "train_1", "train_2"):
        lines(root / "Annotations" / f"{name}.xml", [f"<annotation>{voc_object('car', 1, 1, 9, 9)}</annotation>"])
    ended = train("--data", root)
    assert refused(ended, "voc/Annotations/val_0.xml: unknown class 'tractor'"), ended.err


@pytest.mark.parametrize("student", ["pupil:tiny", "pupil:resnet20", "torchvision:resnet18"])
def test_a_student_of_another_task_is_refused(student: str) -> None:
    ended = train("--student", student)
    assert refused(ended, student.partition(":")[2]), ended.err


def test_a_run_of_another_task_as_student_is_refused(teacher: Path) -> None:
    ended = train("--student", teacher)
    assert refused(ended, "of segmentation", "detection"), ended.err


@pytest.mark.slow
@pytest.mark.parametrize("method", FEATURES)
def test_a_teacher_of_more_classes_teaches_features_by_name(method: str, expert: Path) -> None:
    ended = train("--data", yolo(train=(CAR, PERSON)), "--method", method, "--teacher", expert)
    assert ended.code == 0, ended.err
    assert f"teacher {expert}: 2 of its 3 classes are the data's, by name" in ended.out


@pytest.mark.parametrize(
    ("method", "names"), [("aid", "person, car"), ("aid", "sign, person, car"), ("aid-self", "sign, person, car")]
)
def test_aid_refuses_a_teacher_of_other_classes(method: str, names: str, expert: Path) -> None:
    """Its loss needs labels that the teacher knows; in another order they are others."""
    ended = train("--data", yolo(names), "--method", method, "--teacher", expert)
    assert refused(ended, names, "got one of car, person, sign"), ended.err


@pytest.mark.parametrize("method", [*FEATURES, "aid"])
def test_a_teacher_that_lacks_a_class_is_refused_by_its_name(method: str, expert: Path) -> None:
    ended = train("--data", yolo("person, tractor"), "--method", method, "--teacher", expert)
    assert refused(ended, f"teacher {expert}: ", "none for tractor among its car, person, sign"), ended.err


def test_methods_that_compare_logits_are_refused(expert: Path) -> None:
    ended = train("--method", "kd", "--teacher", expert)
    assert refused(ended, "got detection with boxes of objects"), ended.err


def test_a_run_is_scored_on_the_classes_that_data_share_with_it(expert: Path) -> None:
    ended = pupil("evaluate", expert, "--data", yolo(val=(CAR, PERSON)))
    assert ended.code == 0, ended.err
    assert "2 of the run's 3 classes are the data's, by name" in ended.out
    assert "mAP" in ended.out


def test_a_run_is_not_scored_on_classes_that_it_does_not_know(expert: Path) -> None:
    for data, missing in (
        (yolo("car, tractor"), "tractor"),
        (write_kitti_layout(Path("kitti")), "Car, Pedestrian, Cyclist"),
    ):
        ended = pupil("evaluate", expert, "--data", data)
        assert refused(ended, f"none for {missing} among its car, person, sign"), ended.err


def test_voc_files_that_show_a_few_of_the_classes_are_enough(expert: Path) -> None:
    shown = {f"val_{index}": [voc_object("car", 1, 1, 20, 20)] for index in range(2)}
    root = write_voc_layout(Path("voc"), shown)
    ended = pupil("evaluate", expert, "--data", root)
    assert ended.code == 0, ended.err
    lines(root / "Annotations/val_1.xml", [f"<annotation>{voc_object('tractor', 1, 1, 9, 9)}</annotation>"])
    ended = pupil("evaluate", expert, "--data", root)
    assert refused(ended, "voc/Annotations/val_1.xml: unknown class 'tractor'"), ended.err


def test_a_run_predicts_its_own_classes_on_any_images(expert: Path) -> None:
    root = yolo("tractor")
    ended = pupil("predict", expert, root / "images" / "val", "--out", "found")
    assert ended.code == 0, ended.err
    found = json.loads(Path("found/boxes.json").read_text())
    assert [each["name"] for each in found["categories"]] == ["car", "person", "sign"]
