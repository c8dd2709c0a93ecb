#include "train/meters.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace likeness::train {

void Meters::add(std::int64_t step, const StepMeters& meters, const std::int64_t* index, std::int64_t batch) {
  steps_.push_back(step);
  losses_.push_back(meters.loss);
  norms_.push_back(meters.gradient_norm);
  terms_.push_back(meters.terms);
  pictures_.emplace_back(index, index + batch);
  seen_ += batch * ranks_;
  rate_ = meters.rate;
}

bool Meters::flush(LogRow* row) {
  if (losses_.empty()) return false;
  // One transfer for all of them.
  std::vector<at::Tensor> rows = {at::stack(losses_), at::stack(norms_)};
  for (std::size_t k = 0; k < terms_.front().size(); ++k) {
    std::vector<at::Tensor> row;
    for (const auto& step : terms_) row.push_back(step[k].second);
    rows.push_back(at::stack(row));
  }
  const at::Tensor values = at::stack(rows).to(at::kDouble).cpu();
  const auto v = values.accessor<double, 2>();
  double sum = 0;
  outliers_.clear();
  const auto steps = static_cast<std::int64_t>(losses_.size());
  for (std::int64_t i = 0; i < steps; ++i) {
    if (!std::isfinite(v[0][i]) || !std::isfinite(v[1][i]))
      refuse_non_finite(static_cast<std::size_t>(i), v[0][i], v[1][i]);
    sum += v[0][i];
    const std::int64_t step = steps_[static_cast<std::size_t>(i)];
    for (const auto& found : {loss_watch_.add(step, v[0][i]), norm_watch_.add(step, v[1][i])})
      if (found) outliers_.push_back(*found);
  }
  row->terms.clear();
  for (std::size_t k = 0; k < terms_.front().size(); ++k)
    row->terms.emplace_back(terms_.front()[k].first, values[static_cast<std::int64_t>(k) + 2].mean().item<double>());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count();
  row->step = steps_.back();
  row->loss = sum / static_cast<double>(steps);
  row->gradient_norm = v[1][steps - 1];
  row->rate = rate_;
  row->pictures_per_second = static_cast<double>(seen_) / std::max(seconds, 1e-9);
  row->seconds += seconds;
  losses_.clear(), norms_.clear(), terms_.clear(), pictures_.clear(), steps_.clear();
  seen_ = 0;
  restart_clock();
  return true;
}

std::string Meters::names(const std::int64_t* index, std::int64_t batch) const {
  return listed(static_cast<std::size_t>(batch), [&](std::size_t k) { return picture_(index[k]); });
}

void Meters::refuse_non_finite(std::size_t i, double loss, double norm) const {
  const std::vector<std::int64_t>& p = pictures_[i];
  fail_data({.what = "training diverged: " + std::string(std::isfinite(loss) ? "the gradient" : "the loss") +
                     " is not finite",
             .where = "step " + std::to_string(steps_[i]) + ", pictures " +
                      names(p.data(), static_cast<std::int64_t>(p.size())),
             .expected = "finite numbers",
             .got = "loss " + std::to_string(loss) + ", gradient norm " + std::to_string(norm),
             .hint = "lower optimizer.rate, or add schedule.warmup; checkpoints written so far are sound"});
}

}  // namespace likeness::train
