import pytest

pytest.importorskip("keras", reason="the train extra is not installed")
