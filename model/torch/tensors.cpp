#include "model/torch/tensors.h"

#include <ATen/ATen.h>

#include <cstring>

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

WeightTensor from_tensor(const at::Tensor& tensor) {
  const at::Tensor t = tensor.detach().to(at::kCPU).contiguous();
  WeightTensor out;
  out.dtype = t.scalar_type() == at::kDouble ? "F64" : t.scalar_type() == at::kLong ? "I64" : "F32";
  TORCH_CHECK(t.scalar_type() == at::kDouble || t.scalar_type() == at::kLong || t.scalar_type() == at::kFloat,
              "weights leave as f32, f64 or i64, got ", t.scalar_type());
  out.shape = t.sizes().vec();
  out.data.resize(t.nbytes());
  std::memcpy(out.data.data(), t.const_data_ptr(), t.nbytes());
  return out;
}

}  // namespace likeness::model
