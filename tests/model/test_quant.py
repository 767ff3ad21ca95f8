import numpy as np
import pytest

from fer_edge.model.quant import Quantization

UNIT_INT8 = Quantization(1 / 255, -128, "int8")  # the tensor of fault J1: real 0..1


def test_int8_of_unit_range_spans_all_stored_values():
    real = np.arange(256) / 255
    assert UNIT_INT8.quantize(real).dtype == np.int8
    np.testing.assert_array_equal(UNIT_INT8.quantize(real), np.arange(-128, 128))


def test_rounds_to_nearest_and_does_not_truncate():
    tensor = Quantization(0.5, 3, "int8")
    # 0.74 / 0.5 = 1.48 -> 1, 0.76 / 0.5 = 1.52 -> 2, and the same below zero; plus the zero point.
    np.testing.assert_array_equal(tensor.quantize([0.74, 0.76, -0.74, -0.76]), [4, 5, 2, 1])


def test_ties_go_to_the_even_step():
    real = [0.25, 0.75, 1.25, -0.25, -0.75]  # 0.5, 1.5, 2.5, -0.5, -1.5 steps
    np.testing.assert_array_equal(Quantization(0.5, 0, "int8").quantize(real), [0, 2, 2, 0, -2])


@pytest.mark.parametrize(("dtype", "least", "greatest"), [("int8", -128, 127), ("uint8", 0, 255)])
def test_clips_and_does_not_wrap_round(dtype, least, greatest):
    stored = Quantization(0.1, 0, dtype).quantize([-1e6, 1e6])
    np.testing.assert_array_equal(stored, [least, greatest])


def test_dequantize_is_the_formula_in_float32():
    real = Quantization(0.25, -10, "int8").dequantize(np.array([[-128, -10, 127]], np.int8))
    assert real.dtype == np.float32
    np.testing.assert_array_equal(real, [[-29.5, 0.0, 34.25]])


def test_back_and_forth_is_within_half_a_step():
    tensor = Quantization(0.0371, 12, "uint8")
    real = np.linspace((0 - 12) * 0.0371, (255 - 12) * 0.0371, 1000)
    assert np.abs(tensor.dequantize(tensor.quantize(real)) - real).max() <= 0.0371 / 2 + 1e-6


def test_unquantised_tensors_keep_real_values():
    np.testing.assert_array_equal(Quantization(0.0, 0, "float32").quantize([0.3]), np.float32([0.3]))
    np.testing.assert_array_equal(Quantization(0.0, 0, "uint8").quantize([0.6, 254.4, 300.0]), [1, 254, 255])
    np.testing.assert_array_equal(Quantization(0.0, 0, "uint8").dequantize(np.uint8([7])), [7.0])


def test_the_smallest_scale_is_one_and_no_scale_is_none():
    tiny = Quantization(1e-30, 3, "int8")
    assert tiny.quantized
    assert tiny.dequantize(np.int8([5]))[0] == pytest.approx(2e-30)
    np.testing.assert_array_equal(tiny.quantize([2e-30]), [5])
    assert not Quantization(0.0, 0, "int8").quantized
