"""FRSKD's self-teachers, losses, gradients and schedule, against the values and gradients of MingiJi/FRSKD."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from golden.reader import assert_gradient, assert_value, golden, leaf, number
from pupil.functional.label_augmentation import aggregated_logits, joint_cross_entropy, joint_target
from pupil.lesson import Activations, Lesson
from pupil.losses.attention import attention_loss, attention_map
from pupil.losses.kd import kd_loss
from pupil.methods.frskd import frskd
from pupil.networks import PyramidSelfTeacher, SelfTeacher
from pupil.networks.feature_pyramid import PyramidLayer
from pupil.schedules import weight_at
from pupil.tasks.classification import ClassificationTask

dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])

GOLDEN = golden("frskd")
SETTINGS = GOLDEN.record["hyperparameters"]
KINDS = ["conv", "bn"]
LEVELS = range(len(SETTINGS["channels"]))
# Tensors are compared as gradients are: relative to the largest entry, since ReLU leaves some near zero.
assert_tensor = assert_gradient


def read(name: str, dtype: torch.dtype) -> Tensor:
    return GOLDEN[name].to(dtype)


@dtypes
def test_kd(dtype):
    student = leaf(GOLDEN["kd.student_logits"], dtype)
    loss = kd_loss(student, read("kd.teacher_logits", dtype), temperature=SETTINGS["temperature"])
    loss.backward()
    assert_value(loss, GOLDEN["kd.loss"])
    assert_gradient(student.grad, GOLDEN["kd.grad_student_logits"])


@dtypes
def test_attention_at_every_level(dtype):
    students = [leaf(GOLDEN[f"at.student_feature{level}"], dtype) for level in LEVELS]
    teachers = [read(f"at.teacher_feature{level}", dtype) for level in LEVELS]
    losses = [attention_loss(*pair, variant="code") for pair in zip(students, teachers, strict=True)]
    total = torch.stack(losses).sum()
    total.backward()
    for level, (student, teacher, loss) in enumerate(zip(students, teachers, losses, strict=True)):
        assert_tensor(attention_map(student), GOLDEN[f"at.student_map{level}"])
        assert_tensor(attention_map(teacher), GOLDEN[f"at.teacher_map{level}"])
        assert_value(loss, GOLDEN[f"at.loss{level}"])
        assert_gradient(student.grad, GOLDEN[f"at.grad_student_feature{level}"])
    assert_value(total, GOLDEN["at.loss_sum"])
    weighted = SETTINGS["alpha"] * read("kd.loss", dtype) + SETTINGS["beta"] * total
    assert_value(weighted, GOLDEN["at.weighted_total"])


@dtypes
def test_a_student_that_shows_nothing_has_a_finite_loss_and_no_gradient(dtype):
    teacher = read("at.zero_student_teacher_feature", dtype)
    student = leaf(torch.zeros(len(teacher), 3, *teacher.shape[2:]), dtype)
    loss = attention_loss(student, teacher, variant="code")
    loss.backward()
    assert_value(loss, GOLDEN["at.zero_student_loss"])
    assert float(student.grad.abs().max()) == GOLDEN["at.zero_student_grad_absmax"]


def self_teacher_name(name: str) -> str:
    """Where the parameter of that name is in ours."""
    part, level, unit, rest = re.fullmatch(r"([a-z_]+)(?:\.(\d+))?(?:\.unit(\d+))?(.*)", name).groups()
    ours = {
        "lateral_a": "lateral_down",
        "lateral_b": "lateral_up",
        "td_resize": "enlarge",
        "bu_resize": "halve",
        "td_conv": "down",
        "bu_conv": "up",
        "td_fuse": "down",
        "bu_fuse": "up",
        "head": "classifier",
    }[part]
    if level is not None:
        ours += f".{int(level) - (part in ('lateral_b', 'bu_resize', 'bu_conv', 'bu_fuse'))}"
    if unit is not None:
        order = {".dw": 0, ".pw": 1, ".bn": 2}
        return f"{ours}.filters.{unit}.{order[rest[:3]]}{rest[3:]}"
    if part.endswith("fuse"):
        return f"{ours}.shares"
    return ours + rest.replace(".conv", ".0").replace(".bn", ".1")


def load(network: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    kept = network.load_state_dict(weights, strict=False)
    assert not kept.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in kept.missing_keys)
    return network


def self_teacher_weights() -> dict[str, Tensor]:
    names = [found["name"] for found in GOLDEN.matches(r"st\.param\.(?P<name>.+)")]
    return {self_teacher_name(name): GOLDEN[f"st.param.{name}"] for name in names}


@dtypes
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_self_teacher(dtype, mode):
    settings = {name: SETTINGS[name] for name in ("width", "depth")}
    network = load(SelfTeacher(SETTINGS["channels"], SETTINGS["K"], **settings), self_teacher_weights()).to(dtype)
    network.train(mode == "train")
    before = []
    network.up[-1].filters[-1][-1].register_forward_pre_hook(lambda module, received: before.append(*received))
    logits, refined = network([read(f"st.input{level}", dtype) for level in LEVELS])
    assert_tensor(logits, GOLDEN[f"st.{mode}_logits"])
    for level in LEVELS:
        assert_tensor(refined[level], GOLDEN[f"st.{mode}_feature{level}"])
    if mode == "eval":
        assert_tensor(before[0], GOLDEN["st.eval_preact_feature_last"])


def test_its_batch_normalization_and_fusion_are_the_published_ones():
    network = SelfTeacher(SETTINGS["channels"], SETTINGS["K"])
    assert {each.eps for each in network.modules() if isinstance(each, nn.BatchNorm2d)} == {SETTINGS["bn_eps"]}


class Shows(nn.Module):
    """A student whose features and logits are leaves."""

    def __init__(self, features: list[Tensor], logits: Tensor) -> None:
        super().__init__()
        self.features, self.logits = features, logits
        self.level = nn.ModuleList(nn.Identity() for _ in features)

    def forward(self, image: Tensor) -> Tensor:
        for level, feature in zip(self.level, self.features, strict=True):
            level(feature)
        return self.logits


@dtypes
def test_the_joint_loss_of_the_method(dtype):
    features = [leaf(GOLDEN[f"st.input{level}"], dtype) for level in LEVELS]
    logits = leaf(GOLDEN["joint.student_logits"], dtype)
    image = torch.zeros(1, 3, *features[0].shape[2:])
    distiller = frskd(
        Shows(features, logits),
        None,
        ClassificationTask([str(each) for each in range(SETTINGS["K"])]),
        image,
        layers=",".join(f"level.{level}" for level in LEVELS),
        width=SETTINGS["width"],
        depth=SETTINGS["depth"],
        temperature=SETTINGS["temperature"],
        weight=SETTINGS["alpha"],
        feature_weight=SETTINGS["beta"],
    ).distiller.to(dtype)
    network = load(distiller.teacher.network, self_teacher_weights())
    terms = distiller.train()(image, GOLDEN["joint.labels"])
    assert_value(terms["task"], GOLDEN["joint.ce_student"])
    assert_value(terms["teacher"], GOLDEN["joint.ce_teacher"])
    assert_value(terms["kd"] + terms["attention"], GOLDEN["joint.distill"])
    total = sum(terms.values())
    assert_value(total, GOLDEN["joint.loss"])

    parameters = dict(network.named_parameters())
    names = [found["name"] for found in GOLDEN.matches(r"joint\.grad_param\.(?P<name>.+)")]
    for loss in (total, terms["teacher"]):
        found = torch.autograd.grad(loss, [parameters[self_teacher_name(name)] for name in names], retain_graph=True)
        for name, gradient in zip(names, found, strict=True):
            assert_gradient(gradient, GOLDEN[f"joint.grad_param.{name}"])
    from_teacher = torch.autograd.grad(terms["teacher"], features, retain_graph=True)
    total.backward()
    assert_gradient(logits.grad, GOLDEN["joint.grad_student_logits"])
    for level in LEVELS:
        assert_gradient(features[level].grad, GOLDEN[f"joint.grad_input{level}"])
        assert_gradient(from_teacher[level], GOLDEN[f"joint.grad_input{level}_from_ce_teacher"])


@dtypes
def test_self_supervised_label_augmentation(dtype):
    logits, labels = read("sla.rotation_logits", dtype), GOLDEN["joint.labels"]
    assert torch.equal(joint_target(labels), GOLDEN["sla.joint_labels"])
    assert_tensor(aggregated_logits(logits), GOLDEN["sla.aggregated_logits"])
    torch.testing.assert_close(
        joint_cross_entropy(logits, labels), nn.functional.cross_entropy(logits, GOLDEN["sla.joint_labels"])
    )


@dtypes
@pytest.mark.parametrize("temperature", [run["number"] for run in GOLDEN.matches(r"seg\.kd_loss_T(?P<number>\d+)")])
def test_dense_kd(dtype, temperature):
    student = leaf(GOLDEN["seg.student_logits"], dtype)
    loss = kd_loss(student, read("seg.teacher_logits", dtype), temperature=number(temperature))
    loss.backward()
    assert_value(loss, GOLDEN[f"seg.kd_loss_T{temperature}"])
    if f"seg.kd_grad_T{temperature}" in GOLDEN:
        assert_gradient(student.grad, GOLDEN[f"seg.kd_grad_T{temperature}"])


def pyramid_layer(part: str, dtype: torch.dtype) -> nn.Module:
    weights = {}
    pattern = rf"seg\.{part}\.param\.(?P<way>td|bu)\.p(?P<level>\d)\.(?P<kind>conv|bn)\.(?P<rest>.+)"
    found = GOLDEN.matches(pattern)
    finest = min(int(each["level"]) for each in found)
    for each in found:
        index = int(each["level"]) - finest - (each["way"] == "bu")
        ours = f"{'down' if each['way'] == 'td' else 'up'}.{index}.{KINDS.index(each['kind'])}.{each['rest']}"
        weights[ours] = GOLDEN["seg.{}.param.{way}.p{level}.{kind}.{rest}".format(part, **each)]
    levels = len({each["level"] for each in found})
    layer = PyramidLayer(
        SETTINGS["segmentation_channels"], levels, bottom_up=any(each["way"] == "bu" for each in found)
    )
    return load(layer, weights).to(dtype).eval()


@dtypes
def test_pyramid_layers(dtype):
    levels = [found["level"] for found in GOLDEN.matches(r"seg\.input_p(?P<level>\d)")]
    maps = [read(f"seg.input_p{level}", dtype) for level in sorted(levels)]
    for part in ("layer", "last"):
        maps = pyramid_layer(part, dtype)(maps)
        for level, each in zip(sorted(levels), maps, strict=True):
            assert_tensor(each, GOLDEN[f"seg.{part}_out_p{level}"])


def test_the_published_schedule_is_where_ours_arrives_at_the_end_of_each_epoch():
    published = GOLDEN["seg.distill_weight_schedule"]
    epochs = len(published)
    start = int((published == 0).sum()) / epochs
    student = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)
    )
    task = ClassificationTask(["a", "b"])
    terms = frskd(student, None, task, torch.zeros(1, 3, 4, 4), start=start, weight=1.0).distiller.terms
    for epoch, factor in enumerate(published):
        end = Lesson(None, None, Activations(None), progress=(epoch + 1 - 1e-12) / epochs)
        assert_value(torch.tensor(weight_at(terms["kd"].weight, end), dtype=torch.float64), factor)


def size(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("counted", GOLDEN.record["parameter_counts_classification"])
def test_parameters_and_operations_of_the_self_teacher(counted):
    options = dict(counted["options"])
    options["width"] = options.pop("num_channels", options.get("width"))
    shapes = [(1, *shape) for shape in counted["student_feature_shapes"]]
    with torch.device("meta"):
        network = SelfTeacher(
            [shape[1] for shape in shapes], counted["num_classes"], variant=counted["teacher"].lower(), **options
        ).eval()
        operations = []
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(
                    lambda module, received, given: operations.append(given.numel() * module.weight[0].numel())
                )
        _, refined = network([torch.rand(shape) for shape in shapes])
    assert size(network) == counted["teacher_params"]
    assert sum(operations) == counted["teacher_macs"]
    assert [list(each.shape[1:]) for each in refined] == counted["teacher_feature_shapes"]
    statistics = [each for name, each in network.named_buffers() if "num_batches" not in name]
    assert sum(each.numel() for each in statistics) == counted["teacher_bn_buffers"]


@pytest.mark.parametrize("counted", GOLDEN.record["parameter_counts_segmentation"])
def test_parameters_of_the_pyramids(counted):
    channels = counted["channels"]
    layer, last = PyramidLayer(channels), PyramidLayer(channels, bottom_up=False)
    network = PyramidSelfTeacher([channels] * 6, classes=21)
    assert size(layer) == counted["bifpn_layer_params"]
    assert size(last) == counted["bifpn_last_layer_params"]
    assert size(network.layers) == counted["teacher_bifpn_params"]
    assert size(network.head) == counted["classifier_head_params"]
    assert size(network) == counted["teacher_total_params"]


def test_every_array_was_read():
    assert GOLDEN.unread() == set()
