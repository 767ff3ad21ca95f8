/* {{file}}.tflite for TFLite Micro, written by fer-edge. */
#include "{{file}}.h"

_Alignas(16) const unsigned char {{name}}_model[{{model_bytes}}] = {
{{model}}
};

const char *const {{name}}_labels[{{label_count}}] = {{{labels}}};
