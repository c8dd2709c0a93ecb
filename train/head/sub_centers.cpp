#include "train/head/sub_centers.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace likeness::train {
namespace {

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double{a[i]} * b[i];
  return sum;
}

constexpr double kSmallest = 1e-12;  // lengths below count as this, as in the classifier

}  // namespace

SubCenters::SubCenters(std::vector<float> rows, std::int64_t classes, int per_class, std::int64_t dimension)
    : rows_(std::move(rows)), classes_(classes), dimension_(dimension), per_class_(per_class) {
  LIKENESS_ASSERT(per_class > 0 && static_cast<std::int64_t>(rows_.size()) == classes * per_class * dimension);
}

void SubCenters::add(std::int64_t picture, std::int64_t label, const float* embedding) {
  LIKENESS_ASSERT(label >= 0 && label < classes_);
  pictures_.push_back(picture);
  labels_.push_back(label);
  const double length = std::max(std::sqrt(dot(embedding, embedding, dimension_)), kSmallest);
  for (int k = 0; k < per_class_; ++k) {
    const float* row = rows_.data() + (label * per_class_ + k) * dimension_;
    const double norm = std::max(std::sqrt(dot(row, row, dimension_)), kSmallest);
    cosines_.push_back(static_cast<float>(std::clamp(dot(row, embedding, dimension_) / (norm * length), -1.0, 1.0)));
  }
}

NoiseReport SubCenters::report(double degrees) const {
  const auto centres = static_cast<std::size_t>(per_class_);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes_) * centres);
  const auto nearest_of = [&](std::size_t n) {
    const float* c = cosines_.data() + n * centres;
    return static_cast<int>(std::max_element(c, c + centres) - c);
  };
  for (std::size_t n = 0; n < labels_.size(); ++n)
    ++counts[static_cast<std::size_t>(labels_[n]) * centres + static_cast<std::size_t>(nearest_of(n))];

  NoiseReport report{.suspects = {},
                     .dominant = std::vector<int>(static_cast<std::size_t>(classes_)),
                     .pictures = static_cast<std::int64_t>(pictures_.size())};
  std::vector<std::int64_t> all(static_cast<std::size_t>(classes_)), kept(all.size());
  for (std::size_t c = 0; c < report.dominant.size(); ++c) {
    const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(c * centres);
    report.dominant[c] = static_cast<int>(std::max_element(begin, begin + per_class_) - begin);
  }
  const double threshold = std::cos(degrees * std::numbers::pi / 180);
  for (std::size_t n = 0; n < labels_.size(); ++n) {
    const auto label = static_cast<std::size_t>(labels_[n]);
    const int dominant = report.dominant[label];
    const double cosine = cosines_[n * centres + static_cast<std::size_t>(dominant)];
    ++all[label];
    if (cosine > threshold)
      ++kept[label];
    else
      report.suspects.push_back({.picture = pictures_[n],
                                 .label = labels_[n],
                                 .nearest = nearest_of(n),
                                 .dominant = dominant,
                                 .cosine = cosine});
  }
  for (std::size_t c = 0; c < all.size(); ++c) {
    report.identities += all[c] > 0;
    report.emptied += all[c] > 0 && kept[c] == 0;
  }
  return report;
}

std::vector<float> SubCenters::dominant_rows(const NoiseReport& report) const {
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(classes_ * dimension_));
  for (std::int64_t c = 0; c < classes_; ++c) {
    const auto from = rows_.begin() + (c * per_class_ + report.dominant[static_cast<std::size_t>(c)]) * dimension_;
    rows.insert(rows.end(), from, from + dimension_);
  }
  return rows;
}

}  // namespace likeness::train
