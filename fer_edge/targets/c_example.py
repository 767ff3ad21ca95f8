"""A program in C++ that runs a model's C source in TFLite Micro, to build a firmware from."""

from __future__ import annotations

from fer_edge.model import graph
from fer_edge.targets.c_source import Source, notice


def example(source: Source) -> str:
    """main.cc: a face on standard input, probabilities on standard output; a template for a firmware."""
    name, upper = source.name, source.name.upper()
    operators = graph.operators(source.flatbuffer)
    adds = "\n".join(f"  if (resolver.Add{camel_case(op)}() != kTfLiteOk) return 1;" for op in operators)
    softmax = (
        "" if source.classifier.output.content == "probabilities" else "  /* Logits: apply softmax. */\n"
    )
    return f"""{notice(source)}
#include <cstdio>

#include "{source.file}.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {{
alignas(16) uint8_t arena[{upper}_ARENA_BYTES];
}}  // namespace

/* Reads one face, {upper}_INPUT_HEIGHT x {upper}_INPUT_WIDTH gray levels, from standard input. */
int main() {{
  tflite::InitializeTarget();
  tflite::MicroMutableOpResolver<{len(operators)}> resolver;
{adds}
  tflite::MicroInterpreter interpreter(tflite::GetModel({name}_model), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 2;
  {name}_input_t* input = tflite::GetTensorData<{name}_input_t>(interpreter.input(0));
  for (int i = 0; i < {upper}_INPUT_HEIGHT * {upper}_INPUT_WIDTH; i++) {{
    const int gray = std::getchar();
    if (gray == EOF) return 3;
    for (int c = 0; c < {upper}_INPUT_CHANNELS; c++) *input++ = {name}_stored(gray);
  }}
  if (interpreter.Invoke() != kTfLiteOk) return 4;
{softmax}  const {name}_output_t* output = tflite::GetTensorData<{name}_output_t>(interpreter.output(0));
  for (int i = 0; i < {upper}_LABELS; i++) {{
    std::printf("%s %.6f\\n", {name}_labels[i], {name}_real(output[i]));
  }}
  return 0;
}}
"""


def camel_case(operator: str) -> str:
    """TFLite's name of an operator as TFLite Micro's resolver spells it: MAX_POOL_2D -> MaxPool2D."""
    return "".join(part.capitalize() if part != "2D" else part for part in operator.split("_"))
