"""The options of each task's recipes: what the command offers as flags. The standard library is all it needs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from typing import Literal

from pupil.engine.options import Training, flag, option
from pupil.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Segmentation(Training):
    """Options of a segmentation training."""

    format: str = option(
        "auto", "layout of the data folder: folder, painted, voc, voc-sbd, cityscapes, ade20k, camvid; auto finds it"
    )
    size: str = option("64x96", "height x width of a training crop")
    evaluation_size: str | None = option(
        None, "height x width the network sees in validation, or 'own'; default --size"
    )
    window: str | None = option(None, "validate with a sliding window of this height x width")
    scale: str = option("0.75:1.5", "range of the random resizing, as FROM:TO")
    base: int | None = option(None, "short side of an image that is resized by 1; default: it covers the crop")
    flip: bool = option(True, "mirror half of the images")
    colour: float = option(0.2, "strength of the colour jitter")
    classes: str | None = option(None, "class names in the order of their ids, separated by commas")
    ignore_index: int | None = option(None, "label of pixels that count for nothing")
    label_smoothing: float = option(0.0, "share of each label spread over the classes")
    class_weights: str | None = option(None, "one weight a class, separated by commas")
    dice: float = option(0.0, "weight of the Dice term")
    auxiliary_weight: float = option(0.4, "weight of an auxiliary head, where the network has one")
    label_noise: float = option(0.0, "how carelessly drawn scenes are labelled, 0 to 1")
    unlabelled: str | None = option(
        None, "folder of images that the teacher alone labels; 'rest' (or 'drawn'): those that --labels leaves out"
    )
    unlabelled_share: float = option(0.5, "share of a batch that is unlabelled images")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.unlabelled_share < 1.0:
            raise UsageError(
                f"expected unlabelled_share between 0 and 1, got {self.unlabelled_share}: change --unlabelled-share"
            )


@dataclass(frozen=True, kw_only=True)
class Classification(Training):
    """Options of a classification training."""

    student: str = option(
        "pupil:resnet20", "network to train: FAMILY:NAME (pupil, torchvision, timm, transformers, your module), a run"
    )
    data: str = option("", "folder with train/CLASS/NAME.jpg and val/, zipped or not; CIFAR; package.module:function")
    format: str = option("auto", "layout of the data: folder, cifar10, cifar100; auto finds it")
    size: str = option("32x32", "height x width that the network sees")
    crop: Literal["auto", "pad", "zoom", "none"] = option(
        "auto", "random crop: pad (CIFAR), zoom (ImageNet), none; auto pads images that have the size already"
    )
    zoom: str = option("0.08:1", "share of an image's area that zoom cuts out, as FROM:TO")
    flip: bool = option(True, "mirror half of the images")
    colour: float = option(0.0, "strength of the colour jitter")
    label_smoothing: float = option(0.0, "share of each label spread over the classes")
    auxiliary_weight: float = option(0.4, "weight of an auxiliary classifier, where the network has one")
    mixup: float = option(0.0, "blend images, with shares from Beta(mixup, mixup); 0 turns it off")
    cutmix: float = option(0.0, "cover images by boxes of others, with areas from Beta(cutmix, cutmix); 0 turns it off")
    batch_size: int = option(64, "images a step, over all processes together")
    optimizer: Literal["sgd", "adamw"] = option("sgd", "optimizer")
    learning_rate: float = option(0.05, "highest learning rate")
    weight_decay: float = option(5e-4, "weight decay")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mixup and self.cutmix:
            raise UsageError("expected --mixup or --cutmix, got both: choose one")


@dataclass(frozen=True, kw_only=True)
class Lanes(Training):
    """Options of a lane training."""

    student: str = option(
        "pupil:lane-tiny", "network to train: FAMILY:NAME (pupil, torchvision, timm, smp, your module), a run"
    )
    data: str = option("scenes", "folder of TuSimple, CULane or BDD100K, package.module:function, or drawn 'scenes'")
    format: str = option("auto", "layout of the data folder: tusimple, culane, bdd100k; auto finds it")
    size: str = option("64x96", "height x width that the network sees, in multiples of 8 for most lane networks")
    scale: str = option("0.95:1.05", "range of the random resizing of either side, as FROM:TO")
    rotation: float = option(1.0, "largest random rotation in degrees")
    colour: float = option(0.2, "strength of the colour jitter")
    top: float = option(0.0, "share of the image that is cut off above")
    line_width: int | None = option(None, "width of a drawn lane at --size; default about a hundredth of the width")
    background_weight: float = option(0.4, "weight of the background in the cross-entropy")
    existence_weight: float | None = option(
        None, "weight of which lanes exist, where the network says it; default 0.1, and 0 for the masks of BDD100K"
    )
    iou_weight: float = option(0.1, "weight of the IoU of lane pixels")
    threshold: float = option(0.3, "least probability of a lane's point")
    smoothing: int | None = option(
        None,
        "side of the box, an odd number, in which probabilities are averaged; default about a hundredth of the width",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.threshold < 1.0:
            raise UsageError(f"expected a threshold from 0 to below 1, got {self.threshold}: change --threshold")
        if self.smoothing is not None and (self.smoothing < 1 or self.smoothing % 2 == 0):
            raise UsageError(f"expected an odd side of the box, 1 or more, got {self.smoothing}: change --smoothing")


@dataclass(frozen=True, kw_only=True)
class Detection(Training):
    """Options of a detection training."""

    student: str = option(
        "pupil:tiny-retinanet", "detector to train: FAMILY:NAME (pupil, torchvision, timm, your module), a run"
    )
    data: str = option("drawn", "folder of COCO, KITTI, Pascal VOC or YOLO, package.module:function, or drawn scenes")
    format: str = option("auto", "layout of the data folder: coco, coco-traffic, kitti, voc, yolo; auto finds it")
    size: str | None = option(None, "height x width of every training image; default its own")
    short: str | None = option(None, "shorter side of a training image instead; several with commas are drawn from")
    long: int | None = option(None, "what the longer side is at most, beside --short")
    scene_size: str = option("160x240", "height x width of drawn scenes")
    flip: bool = option(True, "mirror half of the images")
    colour: float = option(0.2, "strength of the colour jitter")
    zoom_out: float = option(1.0, "lay half of the images on a canvas up to so many times larger; 1 turns it off")
    crop: bool = option(False, "cut random windows around boxes, as SSD is trained")
    strict: bool = option(False, "refuse boxes without area instead of leaving them out")
    batch_size: int = option(4, "images a step, over all processes together")


def as_command(recipe: str, options: Training) -> str:
    """What to type for these options: every flag that differs from its default.

    Example:
        >>> as_command("segmentation", Segmentation(steps=10, settings=("share=2",), flip=False))
        'pupil train segmentation --set share=2 --steps 10 --no-flip'
    """
    words = ["pupil", "train", recipe]
    for each in fields(options):
        value = getattr(options, each.name)
        if value == each.default:
            continue
        if isinstance(value, tuple):
            words += [word for one in value for word in (f"--{flag(each.name)}", one)]
        elif isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{flag(each.name)}")
        else:
            words += [f"--{flag(each.name)}", str(value)]
    return shlex.join(words)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from "HxW".

    Example:
        >>> parse_size("64x96")
        (64, 96)
    """
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UsageError(f"expected HEIGHTxWIDTH, got {text!r}: for example 256x512")
    return int(height), int(width)


def parse_range(text: str) -> tuple[float, float]:
    """Two numbers from "FROM:TO".

    Example:
        >>> parse_range("0.5:2")
        (0.5, 2.0)
    """
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"expected FROM:TO, got {text!r}: for example 0.5:2.0") from None
    if not 0.0 < low <= high:
        raise UsageError(f"expected 0 < FROM <= TO, got {text!r}: for example 0.5:2.0")
    return low, high


def parse_list(text: str | None) -> list[str] | None:
    """The parts of a text separated by commas, or None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def parse_numbers(text: str | None) -> list[float] | None:
    """Numbers separated by commas, or None."""
    parts = parse_list(text)
    try:
        return None if parts is None else [float(part) for part in parts]
    except ValueError:
        raise UsageError(f"expected numbers separated by commas, got {text!r}: for example 1,1,2.5") from None


def parse_seeds(text: str) -> list[int]:
    """Seeds from "0 1 2" or "0,1,2".

    Example:
        >>> parse_seeds("7, 8 9")
        [7, 8, 9]
    """
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise UsageError(f'expected different whole numbers as seeds, got {text!r}: for example --seeds "0 1 2"')
    return [int(part) for part in parts]
