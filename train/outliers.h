// Losses and gradient norms that stand out: noticed and named, never acted upon.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace likeness::train {

// The modified z-score of Iglewicz and Hoaglin (1993): 0.6745 (value - median) / MAD over `before`, MAD the median of
// distances from the median. Unlike mean and deviation, neither is moved by the outliers themselves. MAD counts as at
// least 1 % of |median|, so that a series that hardly moves has none. `before` holds at least one value; any order.
struct RobustScore {
  double z = 0, median = 0;
};
RobustScore robust_score(std::span<const double> before, double value);

struct OutlierOptions {
  double z = 6;               // scores above this stand out; 0: none does. Loss and gradient norm have heavy tails, of
                              // which the usual 3.5 would report several in a hundred steps
  std::int64_t window = 128;  // values looked back at: long against noise, short against the loss's way down
  // None stands out before this many were seen: the first losses of a run tell nothing.
  std::int64_t warmup() const { return window / 4; }
};

struct Outlier {
  std::int64_t step = 0;
  std::string metric;  // "loss", "gradient_norm"
  double value = 0, z = 0, median = 0;
};

// "record 17, record 3, … (64 pictures)": the first eight of so many pictures by name.
std::string listed(std::size_t count, const std::function<std::string(std::size_t)>& name);

// "step 412 stands out: loss 9.3 where 4.1 is usual, z 8.2; record 17, record 3, … (64 pictures)".
std::string describe(const Outlier& outlier, const std::vector<std::string>& pictures);

// One series. Only values far above the others stand out: a loss far below them does no harm. Outliers enter the
// window, too, so a series that moved to another level soon is normal there.
class OutlierWatch {
 public:
  OutlierWatch(std::string metric, OutlierOptions options) : metric_(std::move(metric)), options_(options) {}
  // The value of `step`, in order; those that are not finite are the guard's and leave no trace here.
  std::optional<Outlier> add(std::int64_t step, double value);

 private:
  std::string metric_;
  OutlierOptions options_;
  std::deque<double> window_;
};

}  // namespace likeness::train
