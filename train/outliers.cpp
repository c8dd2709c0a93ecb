#include "train/outliers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace likeness::train {
namespace {

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

RobustScore robust_score(std::span<const double> before, double value) {
  LIKENESS_ASSERT(!before.empty());
  std::vector<double> values(before.begin(), before.end());
  const double median = median_of(values);
  for (double& v : values) v = std::abs(v - median);
  const double spread = std::max(median_of(values), .01 * std::abs(median));
  const double distance = value - median;
  return {.z = distance == 0 ? 0 : .6745 * distance / spread, .median = median};
}

std::string listed(std::size_t count, const std::function<std::string(std::size_t)>& name) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(count, kShown); ++i) text += (i > 0 ? ", " : "") + name(i);
  return count > kShown ? text + fmt::format(", … ({} pictures)", count) : text;
}

std::string describe(const Outlier& o, const std::vector<std::string>& pictures) {
  const std::string names = listed(pictures.size(), [&](std::size_t i) { return pictures[i]; });
  return fmt::format("step {} stands out: {} {:.4g} where {:.4g} is usual, z {:.3g}{}{}", o.step, o.metric, o.value,
                     o.median, o.z, names.empty() ? "" : "; ", names);
}

std::optional<Outlier> OutlierWatch::add(std::int64_t step, double value) {
  if (options_.z <= 0 || !std::isfinite(value)) return std::nullopt;
  std::optional<Outlier> found;
  if (static_cast<std::int64_t>(window_.size()) >= std::max<std::int64_t>(options_.warmup(), 1)) {
    const std::vector<double> before(window_.begin(), window_.end());
    const RobustScore score = robust_score(before, value);
    if (score.z > options_.z)
      found = Outlier{.step = step, .metric = metric_, .value = value, .z = score.z, .median = score.median};
  }
  window_.push_back(value);
  if (static_cast<std::int64_t>(window_.size()) > options_.window) window_.pop_front();
  return found;
}

}  // namespace likeness::train
