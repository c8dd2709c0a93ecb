// What gpu_check finds: lines while it runs, one JSON object at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace likeness::gpu {

// The worst of many comparisons of one thing.
class Comparison {
 public:
  // Entry by entry |got - want| / max(|want|, floor), the largest of them; NaN and unequal infinities count as
  // infinite. On any device, of any type; computed in f64 on the CPU.
  void add(const std::string& where, const at::Tensor& got, const at::Tensor& want, double floor);
  // As above, with a floor of a thousandth of the largest finite entry: for sums whose terms differ much in size.
  void add(const std::string& where, const at::Tensor& got, const at::Tensor& want);
  // 1 - cosine of the two, for gradients of deep networks, in which rounding moves some entries much and the direction
  // little.
  void add_direction(const std::string& where, const at::Tensor& got, const at::Tensor& want);
  // |got - want| / |want| over all entries together, for what is rounded to bf16 on the way.
  void add_distance(const std::string& where, const at::Tensor& got, const at::Tensor& want);
  // Infinite unless every bit is the same.
  void add_equal(const std::string& where, const at::Tensor& got, const at::Tensor& want);
  void add_error(const std::string& where, double error);

 private:
  friend class Report;
  double worst_ = 0;
  std::int64_t cases_ = 0;
  std::string where_;
};

struct CheckRow {
  std::string name, precision;
  std::int64_t cases = 0;
  double worst = 0, limit = 0;
  std::string where = {};  // of the worst; or the error that ended it
  bool passed = false;
  bool counts = true;  // false: stated, and no failure
};

struct SpeedRow {
  std::string network;
  std::int64_t classes = 0, batch = 0;
  double pictures_per_second = 0, step_ms = 0;
  std::int64_t peak_bytes = 0;  // on the GPU; 0 on the CPU
  std::string note = {};        // why there is no figure
};

class Report {
 public:
  // `tolerance`: factor on every limit. `only`: other checks, whose names do not hold this text, are left out.
  Report(std::vector<std::pair<std::string, std::string>> machine, double tolerance, std::string only = {});
  bool wants(const std::string& name) const { return name.find(only_) != std::string::npos; }

  // Runs `body` on a fresh comparison, which passes if it had cases and its worst is at most `limit`; an exception from
  // Torch, CUDA or ourselves fails it. Prints a line.
  void check(const std::string& name, const std::string& precision, double limit,
             const std::function<void(Comparison&)>& body);
  // The same, stated without counting: whether two runs of something that PyTorch computes are bit-equal.
  void state(const std::string& name, const std::string& precision, const std::function<void(Comparison&)>& body);
  void add(SpeedRow row);

  bool passed() const;  // every check that counts, and at least one
  std::string json(double seconds) const;
  void print_summary(double seconds) const;

 private:
  CheckRow run(const std::string& name, const std::string& precision, double limit,
               const std::function<void(Comparison&)>& body);
  std::vector<std::pair<std::string, std::string>> machine_;
  double tolerance_;
  std::string only_;
  std::vector<CheckRow> checks_;
  std::vector<SpeedRow> speeds_;
};

}  // namespace likeness::gpu
