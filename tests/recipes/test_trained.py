"""A finished run at work: its network loads again, is scored, and sees images of any size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from command import pupil
from data.miniature import save
from pupil.data.images import read_image, read_mask
from pupil.errors import UsageError
from pupil.models import load_model
from pupil.recipes.trained import evaluate_run, load_trained, predict_images
from pupil.run import Run


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_network_and_its_task_come_back(teacher: Path) -> None:
    trained = load_trained(teacher)
    kept = load_file(teacher / "student.safetensors")
    assert not trained.model.training
    assert all(torch.equal(value, kept[name]) for name, value in trained.model.state_dict().items())
    assert trained.task.classes == ("class 0", "class 1", "class 2")
    assert trained.task.size == (32, 48)
    bare = load_model(Run(teacher).record["model"]["spec"], 3)
    bare.load_state_dict(kept, strict=True)


def test_evaluation_finds_the_score_of_the_summary(teacher: Path, miniature: Path) -> None:
    summary = Run(teacher).summary
    assert summary is not None
    for data in (None, str(miniature)):
        scores, milliseconds = evaluate_run(str(teacher), data, batch_size=3)
        assert scores["miou"] == pytest.approx(summary["value"], abs=1e-9)
        assert milliseconds > 0


def test_images_of_any_size_get_masks_and_overlays_of_their_own(teacher: Path) -> None:
    random = np.random.default_rng(0)
    sizes = {"small": (20, 31), "wide": (32, 96), "large": (70, 50)}
    for name, size in sizes.items():
        save(Path("photos") / f"{name}.png", random.integers(0, 256, (*size, 3)))
    ended = pupil("predict", teacher, "photos", "--out", "seen")
    assert (ended.code, ended.out) == (0, "3 masks in seen/masks, overlays in seen/overlays\n")
    colours = Run(teacher).record["colours"]
    model, task = load_trained(teacher).model, load_trained(teacher).task
    for name, (height, width) in sizes.items():
        with Image.open(f"seen/masks/{name}.png") as mask, Image.open(f"seen/overlays/{name}.png") as overlay:
            assert mask.size == overlay.size == (width, height)
            assert (mask.mode, overlay.mode) == ("P", "RGB")
            assert mask.getpalette()[: 3 * len(colours)] == [part for colour in colours for part in colour]
        seen = task.predict(model, read_image(Path(f"photos/{name}.png"))[None] / 255)[0]
        assert (read_mask(Path(f"seen/masks/{name}.png")) == seen.numpy()).all()


def test_a_score_is_for_boxes_alone(teacher: Path, miniature: Path) -> None:
    ended = pupil("predict", teacher, miniature / "val" / "images", "--out", "seen", "--score", 0.3)
    refused = "pupil: expected a run with boxes for --score, got one of segmentation: leave it out\n"
    assert (ended.code, ended.err) == (2, refused)


def test_a_file_and_a_pattern_are_enough(teacher: Path, miniature: Path) -> None:
    images = miniature / "val" / "images"
    assert [path.name for path in predict_images(str(teacher), str(images / "001.png"), "one")] == ["001.png"]
    written = predict_images(str(teacher), str(images / "00[12].png"), "two")
    assert written == [Path("two/masks/001.png"), Path("two/masks/002.png")]


def test_a_corrupt_image_is_named_and_the_earlier_masks_stay(teacher: Path) -> None:
    for name in ("a", "b"):
        save(Path("photos") / f"{name}.png", np.zeros((8, 8, 3)))
    Path("photos/b.png").write_bytes(b"no image")
    ended = pupil("predict", teacher, "photos", "--out", "seen")
    assert (ended.code, ended.err) == (2, "pupil: cannot read photos/b.png: the file is corrupt or no image\n")
    assert [path.name for path in sorted(Path("seen").rglob("*.png"))] == ["a.png", "a.png"]


def test_code_that_only_the_run_names_is_not_run(teacher: Path, workplace: Path) -> None:
    run = Run.create(workplace / "run", {**Run(teacher).record, "data": "somebody:scenes"})
    run.save_weights(load_file(teacher / "student.safetensors"))
    with pytest.raises(
        UsageError, match=r"names code, 'somebody:scenes', not run unasked: pass --data somebody:scenes"
    ):
        evaluate_run(str(run.folder))
    with pytest.raises(UsageError, match=r"cannot import 'somebody'"):
        evaluate_run(str(run.folder), "somebody:scenes")


def test_drawn_scenes_are_scored_at_the_size_they_were_trained_at(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def spied(spec: str, **options: object) -> object:
        asked.update(options, spec=spec)
        raise UsageError("enough")

    monkeypatch.setattr("pupil.data.segmentation.validation_data", spied)
    with pytest.raises(UsageError, match="enough"):
        evaluate_run(str(teacher), "drawn")
    assert (asked["spec"], asked["scene_size"]) == ("drawn", (32, 48))


def test_a_broken_weights_file_is_named(teacher: Path, workplace: Path) -> None:
    run = Run.create(workplace / "run", Run(teacher).record)
    with pytest.raises(UsageError, match=r"expected weights at .*, got none: did this run end"):
        load_trained(run.folder)
    (run.folder / "student.safetensors").write_bytes(b"1234567890")
    with pytest.raises(UsageError, match=r"expected safetensors in .*, got a broken file"):
        load_trained(run.folder)


def test_data_that_know_some_of_the_classes_are_scored_on_those(
    teacher: Path, miniature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = Path(shutil.copytree(teacher, "named"))
    Run(named).update(classes=["road", "sky", "tree"])
    whole, _ = evaluate_run(str(named))
    data = Path(shutil.copytree(miniature, "data"))
    # The same ids by the same names, in another order of the file: 0 is road, 1 is sky.
    (data / "classes.json").write_text(json.dumps({"classes": ["road", "sky", "tree"]}))
    again, _ = evaluate_run(str(named), str(data))
    assert again == whole
    assert "by name" not in capsys.readouterr().out
    for mask in data.glob("val/masks/*.png"):
        # tree becomes 0, road 1, and sky is not labelled.
        save(mask, np.array([1, 7, 0], np.uint8)[np.asarray(Image.open(mask))])
    (data / "classes.json").write_text(json.dumps({"classes": ["tree", "road"], "ignore_index": 7}))
    some, _ = evaluate_run(str(named), str(data))
    assert "2 of the run's 3 classes are the data's, by name" in capsys.readouterr().out
    assert {name for name in some if name.startswith("iou/")} <= {"iou/tree", "iou/road"}
    # By hand: the likeliest of the two classes, where one of them is labelled.
    trained, hit, counted = load_trained(named), 0, 0
    for mask in sorted(data.glob("val/masks/*.png")):
        image = read_image(mask.parents[1] / "images" / mask.name)[None] / 255
        ids = load_model(str(named), 3).eval()(trained.model.preprocessing(image))
        logits = torch.nn.functional.interpolate(ids, size=image.shape[2:], mode="bilinear", align_corners=False)
        target = read_mask(mask)
        target = torch.as_tensor(np.asarray(target))
        hit += int(((logits[0, [2, 0]].argmax(0) == target) & (target != 7)).sum())
        counted += int((target != 7).sum())
    assert some["pixel_accuracy"] == pytest.approx(hit / counted)
    (data / "classes.json").write_text(json.dumps({"classes": ["tree", "car"], "ignore_index": 7}))
    with pytest.raises(UsageError, match="got none for car among its road, sky, tree"):
        evaluate_run(str(named), str(data))


def test_the_best_weights_are_taken_on_request(teacher: Path, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(teacher, tmp_path / "run")))
    halved = {name: each / 2 if each.is_floating_point() else each for name, each in run.load_weights().items()}
    run.save_weights(halved, "best")
    for best, expected in ((False, Run(teacher).load_weights()), (True, halved)):
        found = load_trained(run.folder, best=best).model.state_dict()
        assert all(torch.equal(found[name], each) for name, each in expected.items())
    image = save(tmp_path / "a.png", np.zeros((32, 48, 3), np.uint8))
    other = save(tmp_path / "b.png", np.zeros((20, 30, 3), np.uint8))
    ended = pupil("predict", run.folder, image, other, "--best", "--out", tmp_path / "seen")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in (tmp_path / "seen" / "masks").iterdir()) == ["a.png", "b.png"]


def test_a_label_of_the_validation_set_that_is_no_class_is_met_before_the_first_step(
    miniature: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(miniature, tmp_path / "data"))
    (data / "classes.json").write_text(json.dumps({"classes": ["road", "sky", "tree"]}))
    mask = sorted((data / "val" / "masks").iterdir())[-1]
    save(mask, np.full_like(np.asarray(Image.open(mask)), 9))
    ended = pupil("train", "segmentation", "--data", data, "--size", "32x48", "--steps", 2, "--out", tmp_path / "run")
    assert ended.code == 2
    assert "got 9: pass --ignore-index" in ended.err
    assert "step" not in ended.out
    assert not (tmp_path / "run").exists()
