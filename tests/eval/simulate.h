// Scores with known error rates in which people differ: what intervals and gates are measured on.
#pragma once

#include <cmath>
#include <string>

#include "core/rng.h"
#include "core/scores.h"

namespace likeness::test {

// All pairs of `subjects` people as impostors, `genuine` comparisons each. Scores are 0.1 x standard normal around 0
// (impostors) and around 0.1 x separation (genuine), of which a share of the variance belongs to people: impostors 1/2
// of it to either side.
struct World {
  int subjects = 200, genuine = 3;
  double separation = 4, impostor_share = .2, genuine_share = .5;

  double threshold(double fmr) const { return .1 * -quantile(fmr); }
  double fnmr(double threshold) const { return normal(threshold / .1 - separation); }
  double fmr(double threshold) const { return normal(-threshold / .1); }
  double eer() const { return normal(-separation / 2); }
  double auc() const { return normal(separation / std::sqrt(2.0)); }

  static double normal(double z) { return .5 * std::erfc(-z / std::sqrt(2.0)); }
  static double quantile(double p) {  // by bisection: independent of the code under test
    double low = -8, high = 8;
    for (int i = 0; i < 100; ++i) (normal((low + high) / 2) < p ? low : high) = (low + high) / 2;
    return low;
  }
};

// model 0 or 1: a second model's scores over the same comparisons, correlated with the first's by `alike` (people and
// noise). `shift` is added to its genuine scores, in units of their deviation.
inline ScoreArchive simulate(const World& w, std::uint64_t seed, int model = 0, double alike = .8, double shift = 0) {
  ScoreArchive a;
  a.protocol = "all pairs";
  a.trial_digest = "00000000000000000000000000000001";
  a.contract_json = "{}";
  AttributeColumn gender{"gender", {"female", "male"}, {}};
  Rng common(seed, Purpose::kTest, 0), own(seed, Purpose::kTest, 1 + static_cast<std::uint64_t>(model));
  const double mine = std::sqrt(1 - alike * alike);
  // The first model's numbers are the common ones.
  auto draw = [&] {
    const double x = common.normal();
    return model == 0 ? x : alike * x + mine * own.normal();
  };
  std::vector<double> impostor(static_cast<std::size_t>(w.subjects)), genuine(static_cast<std::size_t>(w.subjects));
  for (int s = 0; s < w.subjects; ++s) {
    impostor[static_cast<std::size_t>(s)] = draw(), genuine[static_cast<std::size_t>(s)] = draw();
    a.subject_ids.push_back("person " + std::to_string(s));
    gender.codes.push_back(s % 2 == 0 ? 1 : 2);
  }
  auto add = [&](int i, int j, double score) {
    a.scores.push_back(.1 * score);
    a.genuine.push_back(i == j), a.subject_a.push_back(i), a.subject_b.push_back(j);
  };
  for (int s = 0; s < w.subjects; ++s)
    for (int g = 0; g < w.genuine; ++g)
      add(s, s,
          w.separation + shift + std::sqrt(w.genuine_share) * genuine[static_cast<std::size_t>(s)] +
              std::sqrt(1 - w.genuine_share) * draw());
  for (int i = 0; i < w.subjects; ++i)
    for (int j = i + 1; j < w.subjects; ++j)
      add(i, j,
          std::sqrt(w.impostor_share / 2) *
                  (impostor[static_cast<std::size_t>(i)] + impostor[static_cast<std::size_t>(j)]) +
              std::sqrt(1 - w.impostor_share) * draw());
  a.subject_attributes.columns.push_back(std::move(gender));
  return a;
}

}  // namespace likeness::test
