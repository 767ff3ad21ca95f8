/* {{file}}.tflite for TFLite Micro, written by fer-edge. */
#ifndef {{upper}}_H_
#define {{upper}}_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define {{upper}}_MODEL_BYTES {{model_bytes}}
extern const unsigned char {{name}}_model[{{upper}}_MODEL_BYTES];

/* Labels in the order of the output. */
#define {{upper}}_LABELS {{label_count}}
extern const char *const {{name}}_labels[{{upper}}_LABELS];

/* Smallest arena for TFLite Micro's reference kernels on a 64-bit machine, in steps of 1 KiB.
   32-bit pointers need less; optimised kernels (CMSIS-NN, ESP-NN) need additional buffers. */
#define {{upper}}_ARENA_BYTES {{arena_bytes}}

/* A face, upright, cropped square, as gray levels 0..255, row by row. */
#define {{upper}}_INPUT_HEIGHT {{height}}
#define {{upper}}_INPUT_WIDTH {{width}}
#define {{upper}}_INPUT_CHANNELS {{channels}}

/* Of the output: real = scale * (stored - zero_point); scale 0: not quantised. */
#define {{upper}}_OUTPUT_SCALE {{output_scale}}
#define {{upper}}_OUTPUT_ZERO_POINT {{output_zero_point}}

typedef {{input_type}} {{name}}_input_t;
typedef {{output_type}} {{name}}_output_t;

/* Value that the input tensor stores for each gray level. */
extern const {{name}}_input_t {{name}}_stored[256];

/* What the output's value means: a {{meaning}}. */
static inline float {{name}}_real({{name}}_output_t value) {
  return {{real}};
}

#ifdef __cplusplus
}
#endif

#endif  /* {{upper}}_H_ */
