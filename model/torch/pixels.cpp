#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>

#include "model/torch/module.h"

namespace likeness::model {
namespace {

// One table of 256 values per output channel: exact, and cheaper than a division per pixel.
template <class T>
void convert(const std::uint8_t* in, T* out, std::int64_t pixels, const std::array<std::array<T, 256>, 3>& table,
             const std::array<int, 3>& source) {
  at::parallel_for(0, pixels, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (int c = 0; c < 3; ++c) out[3 * i + c] = table[c][in[3 * i + source[c]]];
    }
  });
}

template <class T>
void normalise(const at::Tensor& pixels, at::Tensor& out, const std::vector<double>& mean,
               const std::vector<double>& std, bool bgr) {
  std::array<std::array<T, 256>, 3> table;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) table[c][v] = static_cast<T>((v - mean[c]) / std[c]);
  }
  const std::array<int, 3> source = bgr ? std::array{2, 1, 0} : std::array{0, 1, 2};
  convert<T>(pixels.const_data_ptr<std::uint8_t>(), out.data_ptr<T>(), pixels.numel() / 3, table, source);
}

}  // namespace

at::Tensor normalise_pixels(const at::Tensor& pixels, const std::vector<double>& mean, const std::vector<double>& std,
                            bool bgr, at::ScalarType dtype) {
  TORCH_CHECK(pixels.dim() == 4 && pixels.size(3) == 3 && pixels.scalar_type() == at::kByte,
              "pixels: want u8 [B,H,W,3], got ", pixels.scalar_type(), " ", pixels.sizes());
  TORCH_CHECK(mean.size() == 3 && std.size() == 3, "pixels: want three means and three deviations");
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kDouble, "pixels become f32 or f64, not ", dtype);
  const at::Tensor in = pixels.contiguous();
  at::Tensor out = at::empty(in.sizes(), in.options().dtype(dtype));
  if (in.is_cpu()) {
    if (dtype == at::kFloat)
      normalise<float>(in, out, mean, std, bgr);
    else
      normalise<double>(in, out, mean, std, bgr);
  } else {
    const at::TensorOptions options = at::TensorOptions(dtype).device(in.device());
    const at::Tensor source = bgr ? in.flip(3) : in;
    out =
        source.to(dtype).sub_(at::tensor(mean, at::kDouble).to(options)).div_(at::tensor(std, at::kDouble).to(options));
  }
  return out.permute({0, 3, 1, 2});
}

}  // namespace likeness::model
