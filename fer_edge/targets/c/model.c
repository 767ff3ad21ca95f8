/* {{file}}.tflite for TFLite Micro, written by fer-edge. */
#include "{{file}}.h"

_Alignas(16) const unsigned char {{name}}_model[{{model_bytes}}] = {
{{model}}
};

const {{name}}_input_t {{name}}_stored[256] = {
{{stored}}
};

const char *const {{name}}_labels[{{label_count}}] = {{{labels}}};
