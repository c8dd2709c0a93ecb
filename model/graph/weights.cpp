#include "model/graph/weights.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace likeness::model {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are little-endian, and are copied as they are");

// A binary float of up to 16 bits with `exponent` and `mantissa` bits. `finite_only`: E4M3 as the machine learning
// formats define it (OCP OFP8): no infinities, and one NaN pattern per sign, so the largest exponent holds ordinary
// numbers.
double small_float(std::uint32_t bits, int exponent, int mantissa, bool finite_only = false) {
  const std::uint32_t fraction = bits & ((1u << mantissa) - 1);
  const std::uint32_t power = (bits >> mantissa) & ((1u << exponent) - 1);
  const double sign = bits >> (exponent + mantissa) & 1 ? -1.0 : 1.0;
  const std::uint32_t top = (1u << exponent) - 1;
  const int bias = (1 << (exponent - 1)) - 1;
  if (power == top && (!finite_only || fraction == (1u << mantissa) - 1)) {
    const bool infinite = !finite_only && fraction == 0;
    return infinite ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  if (power == 0) return sign * std::ldexp(fraction, 1 - bias - mantissa);
  return sign * std::ldexp(fraction + (1u << mantissa), static_cast<int>(power) - bias - mantissa);
}

template <class T>
std::vector<double> widen(const WeightTensor& t, double (*convert)(T)) {
  std::vector<double> out(t.data.size() / sizeof(T));
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, t.data.data() + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
  return out;
}

template <class T>
std::vector<double> widen(const WeightTensor& t) {
  return widen<T>(t, [](T value) { return static_cast<double>(value); });
}

template <class T>
WeightTensor make(const char* dtype, std::vector<std::int64_t> shape, const T* values) {
  WeightTensor t{dtype, std::move(shape), {}};
  t.data.resize(static_cast<std::size_t>(t.elements()) * sizeof(T));
  if (!t.data.empty()) std::memcpy(t.data.data(), values, t.data.size());
  return t;
}

bool is_float(const std::string& dtype) {
  return dtype == "F32" || dtype == "F64" || dtype == "F16" || dtype == "BF16";
}

}  // namespace

std::int64_t WeightTensor::elements() const { return element_count(shape); }

std::vector<double> WeightTensor::as_double() const {
  if (dtype == "F32") return widen<float>(*this);
  if (dtype == "F64") return widen<double>(*this);
  if (dtype == "F16") return widen<std::uint16_t>(*this, [](std::uint16_t v) { return small_float(v, 5, 10); });
  if (dtype == "BF16") return widen<std::uint16_t>(*this, [](std::uint16_t v) { return small_float(v, 8, 7); });
  if (dtype == "F8_E4M3") return widen<std::uint8_t>(*this, [](std::uint8_t v) { return small_float(v, 4, 3, true); });
  if (dtype == "F8_E5M2") return widen<std::uint8_t>(*this, [](std::uint8_t v) { return small_float(v, 5, 2); });
  if (dtype == "I64") return widen<std::int64_t>(*this);
  if (dtype == "I32") return widen<std::int32_t>(*this);
  if (dtype == "I16") return widen<std::int16_t>(*this);
  if (dtype == "I8") return widen<std::int8_t>(*this);
  if (dtype == "U64") return widen<std::uint64_t>(*this);
  if (dtype == "U32") return widen<std::uint32_t>(*this);
  if (dtype == "U16") return widen<std::uint16_t>(*this);
  if (dtype == "U8" || dtype == "BOOL") return widen<std::uint8_t>(*this);
  LIKENESS_ASSERT(false);
  return {};
}

WeightTensor WeightTensor::f32(std::vector<std::int64_t> shape, const float* values) {
  return make("F32", std::move(shape), values);
}
WeightTensor WeightTensor::f64(std::vector<std::int64_t> shape, const double* values) {
  return make("F64", std::move(shape), values);
}
WeightTensor WeightTensor::i64(std::vector<std::int64_t> shape, const std::int64_t* values) {
  return make("I64", std::move(shape), values);
}

const WeightTensor& Weights::at(const std::string& name) const {
  const auto it = tensors.find(name);
  if (it == tensors.end()) fail_data({"weights lack a tensor", name, "a tensor of that name", "none", ""});
  return it->second;
}

void check_weights(const Graph& graph, const Weights& weights, const std::string& where) {
  const auto refuse = [&](const std::string& tensor, std::string expected, std::string got) {
    fail_data({"weights do not fit the network " + graph.architecture, where + ", tensor " + tensor,
               std::move(expected), std::move(got),
               "are these the weights of another network, input size or embedding size?"});
  };
  for (const TensorSpec& spec : graph.tensors) {
    const std::string expected = (spec.integer ? "I64 " : "F32 ") + shape_text(spec.shape);
    const auto it = weights.tensors.find(spec.name);
    if (it == weights.tensors.end()) refuse(spec.name, expected, "no such tensor");
    const WeightTensor& t = it->second;
    const bool typed = spec.integer ? t.dtype == "I64" : is_float(t.dtype);
    if (!typed || t.shape != spec.shape) refuse(spec.name, expected, t.dtype + " " + shape_text(t.shape));
  }
  if (weights.tensors.size() == graph.tensors.size()) return;
  std::map<std::string, bool> known;
  for (const TensorSpec& spec : graph.tensors) known[spec.name] = true;
  for (const auto& [name, t] : weights.tensors) {
    if (known.count(name) == 0) refuse(name, "no such tensor", t.dtype + " " + shape_text(t.shape));
  }
}

}  // namespace likeness::model
