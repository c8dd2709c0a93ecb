// Between the framework-free weights and tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/graph/weights.h"

namespace likeness::model {

// A contiguous copy in `dtype` on the CPU. kData naming `where` when the stored type is none of ours.
at::Tensor to_tensor(const WeightTensor& stored, at::ScalarType dtype, const std::string& where);
// F32, F64 or I64, row-major whatever the tensor's memory order and device.
WeightTensor from_tensor(const at::Tensor& tensor);
// The same into a tensor that is already there, whose memory is used again where it is large enough.
void copy_tensor(const at::Tensor& tensor, WeightTensor* out);

}  // namespace likeness::model
