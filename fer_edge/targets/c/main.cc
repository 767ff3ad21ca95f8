/* {{file}}.tflite for TFLite Micro, written by fer-edge. A face on standard input, {{content}} on standard
   output: a template for a firmware. */
#include <cstdio>

#include "{{file}}.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {
alignas(16) uint8_t arena[{{upper}}_ARENA_BYTES];
}  // namespace

/* Reads one face, {{upper}}_INPUT_HEIGHT x {{upper}}_INPUT_WIDTH gray levels, from standard input. */
int main() {
  tflite::InitializeTarget();
  tflite::MicroMutableOpResolver<{{operator_count}}> resolver;
{{operators}}
  tflite::MicroInterpreter interpreter(tflite::GetModel({{name}}_model), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 2;
  {{name}}_input_t* input = tflite::GetTensorData<{{name}}_input_t>(interpreter.input(0));
  for (int i = 0; i < {{upper}}_INPUT_HEIGHT * {{upper}}_INPUT_WIDTH; i++) {
    const int gray = std::getchar();
    if (gray == EOF) return 3;
    for (int c = 0; c < {{upper}}_INPUT_CHANNELS; c++) *input++ = {{name}}_stored[gray];
  }
  if (interpreter.Invoke() != kTfLiteOk) return 4;
  const {{name}}_output_t* output = tflite::GetTensorData<{{name}}_output_t>(interpreter.output(0));
  for (int i = 0; i < {{upper}}_LABELS; i++) {
    std::printf("%s %.6f\n", {{name}}_labels[i], {{name}}_real(output[i]));
  }
  return 0;
}
