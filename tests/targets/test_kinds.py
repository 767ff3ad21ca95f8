import pytest

from fer_edge.errors import UsageError
from fer_edge.spec import Format
from fer_edge.targets import command, kinds
from fer_edge.targets.kinds import Kind, Target


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("microcontroller", Target(Kind.MICROCONTROLLER)),
        ("ethos-u", Target(Kind.ETHOS_U, "ethos-u55-128")),
        ("ethos-u85-2048", Target(Kind.ETHOS_U, "ethos-u85-2048")),
        ("onnx", Target(Kind.ONNX)),
        ("web", Target(Kind.WEB)),
    ],
)
def test_names(name, wanted):
    assert kinds.parse(name) == wanted
    assert kinds.parse(wanted.name) == wanted


@pytest.mark.parametrize(("name", "hint"), [("ethos-u55-127", "ethos-u55-128"), ("tpu", "microcontroller")])
def test_unknown_names_are_refused_with_those_that_exist(name, hint):
    with pytest.raises(UsageError, match=hint):
        kinds.parse(name)


def test_formats_that_are_made_for_targets():
    wanted = [Target(Kind.ONNX), Target(Kind.MICROCONTROLLER)]
    made = command.formats(wanted, [Format.FLOAT16])
    assert made == (Format.FLOAT32, Format.FLOAT16, Format.INT8, Format.FULL_INTEGER)
