// The parts of ElasticFace that do not draw: tests put the reference's own draws in.
#pragma once

#include "train/head/loss.h"

namespace likeness::train {

// [B] normal margins, cut to mean +- deviation.
at::Tensor draw_margins(double mean, double deviation, const Samples& samples);

Margined elastic(const Samples& samples, const at::Tensor& margins, bool plus, bool angular);

}  // namespace likeness::train
