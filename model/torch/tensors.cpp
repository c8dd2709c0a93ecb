#include "model/torch/tensors.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace likeness::model {

at::Tensor to_tensor(const WeightTensor& stored, at::ScalarType dtype, const std::string& where) {
  const at::ScalarType type = [&] {
    if (stored.dtype == "F32") return at::kFloat;
    if (stored.dtype == "F64") return at::kDouble;
    if (stored.dtype == "F16") return at::kHalf;
    if (stored.dtype == "BF16") return at::kBFloat16;
    if (stored.dtype == "I64") return at::kLong;
    if (stored.dtype == "I32") return at::kInt;
    fail_data({.what = "weights of a type that a network cannot hold",
               .where = where,
               .expected = "F32, F64, F16, BF16, I64 or I32",
               .got = stored.dtype,
               .hint = ""});
  }();
  const at::Tensor view =
      at::from_blob(const_cast<std::byte*>(stored.data.data()), stored.shape, at::TensorOptions(type));
  return view.to(dtype, /*non_blocking=*/false, /*copy=*/true);
}

void copy_tensor(const at::Tensor& tensor, WeightTensor* out) {
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK(type == at::kDouble || type == at::kLong || type == at::kFloat, "weights leave as f32, f64 or i64, got ",
              type);
  out->dtype = type == at::kDouble ? "F64" : type == at::kLong ? "I64" : "F32";
  out->shape = tensor.sizes().vec();
  out->data.resize(tensor.nbytes());
  const at::NoGradGuard no_grad;
  at::from_blob(out->data.data(), out->shape, at::TensorOptions(type)).copy_(tensor);
}

WeightTensor from_tensor(const at::Tensor& tensor) {
  WeightTensor out;
  copy_tensor(tensor, &out);
  return out;
}

}  // namespace likeness::model
