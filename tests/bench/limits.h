// What this machine can do at best, measured now: the scale for what a program reaches.
#pragma once

namespace likeness::bench {

// With the threads that are set; the best of a second of operations that suit the libraries behind ATen.
struct Limits {
  double convolution_f32 = 0,
         convolution_bf16 = 0;               // operations/s (2 per product): 3x3, 256 channels at 14x14, channels-last
  double product_f32 = 0, product_bf16 = 0;  // operations/s: matrices of 2048^2
  double memory = 0;                         // bytes/s, read + write: a copy of 256 MiB
};
// bf16: also those, which take seconds where the machine has no such products.
Limits measure_limits(bool bf16);

}  // namespace likeness::bench
