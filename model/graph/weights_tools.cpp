#include "model/graph/weights_tools.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace likeness::model {
namespace {

bool is_integer(const std::string& dtype) { return dtype[0] == 'I' || dtype[0] == 'U' || dtype == "BOOL"; }

void check_alike(const Weights& first, const Weights& other, const std::string& first_name, const std::string& name) {
  const auto refuse = [&](const std::string& tensor, const std::string& expected, const std::string& got) {
    fail_data({"weights of different networks cannot be averaged", name + ", tensor " + tensor, expected, got,
               "likeness train weights diff lists all differences"});
  };
  for (const auto& [tensor, t] : first.tensors) {
    const auto it = other.tensors.find(tensor);
    if (it == other.tensors.end()) refuse(tensor, shape_text(t.shape) + " as in " + first_name, "no such tensor");
    if (it->second.shape != t.shape)
      refuse(tensor, shape_text(t.shape) + " as in " + first_name, shape_text(it->second.shape));
  }
  for (const auto& [tensor, t] : other.tensors)
    if (first.tensors.count(tensor) == 0) refuse(tensor, "no such tensor, as in " + first_name, shape_text(t.shape));
}

}  // namespace

TensorFacts facts_of(const WeightTensor& tensor) {
  TensorFacts f{.elements = tensor.elements()};
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  for (const double v : tensor.as_double()) {
    if (!std::isfinite(v)) {
      ++f.non_finite;
      continue;
    }
    low = std::min(low, v), high = std::max(high, v), sum += v, squares += v * v;
  }
  if (f.elements == f.non_finite) return f;
  f.low = low, f.high = high, f.norm = std::sqrt(squares);
  f.mean = sum / static_cast<double>(f.elements - f.non_finite);
  return f;
}

TensorDifference difference(const WeightTensor& a, const WeightTensor& b) {
  LIKENESS_ASSERT(a.shape == b.shape);
  TensorDifference d;
  const std::vector<double> va = a.as_double(), vb = b.as_double();
  double aa = 0, bb = 0, ab = 0, squares = 0;
  for (std::size_t i = 0; i < va.size(); ++i) {
    const double x = va[i], y = vb[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (std::isfinite(x)) aa += x * x, bb += x * x, ab += x * x;
      continue;
    }
    const double gap = std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) : std::numeric_limits<double>::infinity();
    d.largest = std::max(d.largest, gap);
    if (!std::isfinite(gap)) continue;
    aa += x * x, bb += y * y, ab += x * y, squares += gap * gap;
  }
  if (d.equal()) return d;
  d.relative = aa > 0 ? std::sqrt(squares / aa) : std::numeric_limits<double>::infinity();
  d.cosine = aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
  return d;
}

Weights average(std::span<const Weights* const> weights, const std::vector<double>& shares,
                const std::vector<std::string>& names) {
  LIKENESS_ASSERT(!weights.empty() && weights.size() == shares.size() && weights.size() == names.size());
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (std::size_t k = 1; k < weights.size(); ++k) check_alike(*weights[0], *weights[k], names[0], names[k]);
  Weights out;
  out.metadata = weights[0]->metadata;
  for (const auto& [tensor, first] : weights[0]->tensors) {
    if (is_integer(first.dtype)) {
      out.tensors[tensor] = first;
      continue;
    }
    std::vector<double> sum(static_cast<std::size_t>(first.elements()));
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const std::vector<double> values = weights[k]->tensors.at(tensor).as_double();
      for (std::size_t i = 0; i < sum.size(); ++i) {
        if (!std::isfinite(values[i]))
          fail_data({"weights that are not finite cannot be averaged", names[k] + ", tensor " + tensor,
                     "finite numbers", "NaN or infinity", ""});
        sum[i] += shares[k] / total * values[i];
      }
    }
    const std::vector<float> narrow(sum.begin(), sum.end());
    out.tensors[tensor] = WeightTensor::f32(first.shape, narrow.data());
  }
  return out;
}

}  // namespace likeness::model
