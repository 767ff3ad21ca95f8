"""A model as C source: the array, and a header with all that a caller must know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fer_edge.model.classifier import Classifier

_BYTES_A_LINE = 16
_C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@dataclass(frozen=True)
class Source:
    """name: a C identifier. flatbuffer: the model without the zip behind it. arena_bytes: as measured."""

    name: str
    flatbuffer: bytes
    classifier: Classifier
    arena_bytes: int

    @property
    def file(self) -> str:
        """The name that the sources' files share."""
        return self.classifier.path.stem


def identifier(text: str) -> str:
    """A C identifier of a file's name."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if not name[:1].isdigit() else f"model_{name}"


def array(source: Source) -> str:
    """NAME.c: the flatbuffer, aligned as TFLite Micro wants it, byte for byte."""
    lines = "\n".join(_rows(source.flatbuffer))
    return (
        f'{notice(source)}#include "{source.file}.h"\n\n'
        f"_Alignas(16) const unsigned char {source.name}_model[{len(source.flatbuffer)}] = {{\n"
        f"{lines}\n}};\n\n"
        f"const char *const {source.name}_labels[{len(source.classifier.labels)}] = {{{_labels(source)}}};\n"
    )


def _rows(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), _BYTES_A_LINE):
        yield "  " + ", ".join(f"0x{byte:02x}" for byte in data[start : start + _BYTES_A_LINE]) + ","


def _labels(source: Source) -> str:
    quoted = (label.replace("\\", "\\\\").replace('"', '\\"') for label in source.classifier.labels)
    return ", ".join(f'"{label}"' for label in quoted)


def notice(source: Source) -> str:
    """The first line of each file."""
    return f"/* {source.file}.tflite for TFLite Micro, written by fer-edge. */\n"


def header(source: Source) -> str:
    """NAME.h: array, labels, sizes, quantisation, and the two conversions at the model's ends."""
    name, subject = source.name, source.classifier
    height, width = subject.input_size
    guard = f"{name.upper()}_H_"
    return f"""{notice(source)}#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {name.upper()}_MODEL_BYTES {len(source.flatbuffer)}
extern const unsigned char {name}_model[{name.upper()}_MODEL_BYTES];

/* Labels in the order of the output. */
#define {name.upper()}_LABELS {len(subject.labels)}
extern const char *const {name}_labels[{name.upper()}_LABELS];

/* Smallest arena that TFLite Micro's reference kernels ran with on a 64-bit machine, in steps of 1 KiB.
   Pointers of 32 bits need less; optimised kernels (CMSIS-NN, ESP-NN) add buffers of their own. */
#define {name.upper()}_ARENA_BYTES {source.arena_bytes}

/* A face, upright, cropped square, as gray levels 0..255, row by row. */
#define {name.upper()}_INPUT_HEIGHT {height}
#define {name.upper()}_INPUT_WIDTH {width}
#define {name.upper()}_INPUT_CHANNELS {subject.channels}

/* real = scale * (stored - zero_point); a scale of 0: stored as it is. */
#define {name.upper()}_INPUT_SCALE {_float(subject.input.scale)}
#define {name.upper()}_INPUT_ZERO_POINT {subject.input.zero_point}
#define {name.upper()}_OUTPUT_SCALE {_float(subject.output.scale)}
#define {name.upper()}_OUTPUT_ZERO_POINT {subject.output.zero_point}

typedef {_C_TYPES[subject.input.dtype]} {name}_input_t;
typedef {_C_TYPES[subject.output.dtype]} {name}_output_t;

{_stored(source)}
/* What the output's value means: a {_content(source)}. */
static inline float {name}_real({name}_output_t value) {{
  return {_real(source)};
}}

#ifdef __cplusplus
}}
#endif

#endif  /* {guard} */
"""


def _content(source: Source) -> str:
    return "probability" if source.classifier.output.content == "probabilities" else "logit"


def _float(value: float) -> str:
    return f"{value:.9g}" + ("f" if "." in f"{value:.9g}" or "e" in f"{value:.9g}" else ".0f")


def _stored(source: Source) -> str:
    """The function from gray level to stored value: rounded and clipped, as `quant.Quantization` does it."""
    tensor, name = source.classifier.input, source.name
    step = (tensor.real_max - tensor.real_min) / 255.0
    start = f"static inline {name}_input_t {name}_stored(uint8_t gray) {{\n"
    note = "/* What the input tensor stores for a gray level. */\n"
    real = f"{_float(tensor.real_min)} + {_float(step)} * gray"
    if tensor.dtype == "float32":
        return f"{note}{start}  return {real};\n}}\n"
    scale = tensor.scale or 1.0
    if (scale, tensor.real_min, step) == (1.0, 0.0, 1.0):
        value = f"gray + {tensor.zero_point}" if tensor.zero_point else "gray"
        return f"{note}{start}  return ({name}_input_t)({value});\n}}\n"
    least, most = _LIMITS[tensor.dtype]
    return (
        f"{note}{start}"
        f"  const float value = ({real}) / {_float(scale)} + {tensor.zero_point};\n"
        "  const long nearest = (long)(value < 0 ? value - 0.5f : value + 0.5f);\n"
        f"  return ({name}_input_t)(nearest < {least} ? {least} : nearest > {most} ? {most} : nearest);\n}}\n"
    )


def _real(source: Source) -> str:
    tensor, name = source.classifier.output, source.name.upper()
    return f"{name}_OUTPUT_SCALE * (value - {name}_OUTPUT_ZERO_POINT)" if tensor.scale else "(float)value"
