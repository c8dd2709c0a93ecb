#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace likeness::train {
namespace {

// How far the steps after the warm-up have come, in [0, 1].
double done(const Schedule& s, std::int64_t step) {
  const std::int64_t length = s.total - s.warmup;
  if (length <= 0 || step >= s.total) return 1;
  return static_cast<double>(step - s.warmup) / static_cast<double>(length);
}

}  // namespace

double schedule_factor(const Schedule& s, std::int64_t step) {
  if (step < s.warmup) {
    const double share = static_cast<double>(step) / static_cast<double>(s.warmup);
    if (s.insightface) return step == 0 ? 1 : share;
    return s.warmup_start + (1 - s.warmup_start) * share;
  }
  if (s.insightface && step == 0) return 1;
  switch (s.kind) {
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kPolynomial:
      return std::pow(1 - done(s, step), s.power);
    case ScheduleKind::kCosine:
      return s.final + (1 - s.final) * (1 + std::cos(std::numbers::pi * done(s, step))) / 2;
    case ScheduleKind::kStep: {
      double factor = 1;
      for (std::int64_t m : s.milestones)
        if (step >= m) factor *= s.gamma;
      return factor;
    }
  }
  return 1;
}

}  // namespace likeness::train
