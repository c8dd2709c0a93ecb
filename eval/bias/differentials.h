// How far groups lie apart, from one rate per group at one global threshold (formulas and sources: docs/evaluation.md).
// FMR and FNMR halves are always reported separately; the mixtures are for the appendix.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace likeness::eval {

// Of one rate over n >= 2 groups. nullopt where undefined.
struct Spread {
  std::optional<double> max_over_min;      // undefined when a group has none
  std::optional<double> max_over_geomean;  // NIST's headline figure; undefined when a group has none
  double gini = 0;                         // n / (n-1) * sum |xi - xj| / (2 n^2 mean); 0 when all are 0 or equal
  double gap = 0;                          // max - min
  std::size_t worst = 0;                   // index of the largest, the first of equals
};
Spread spread(std::span<const double> rates);

// alpha weighs FMR against FNMR.
// Fairness discrepancy rate (de Freitas Pereira & Marcel 2021): 1 - (alpha gap(FMR) + (1 - alpha) gap(FNMR)); 1 is equal.
double fairness_discrepancy_rate(const Spread& fmr, const Spread& fnmr, double alpha);
// GARBE (Howard et al. 2022): alpha Gini(FMR) + (1 - alpha) Gini(FNMR); 0 is equal.
double garbe(const Spread& fmr, const Spread& fnmr, double alpha);
// Inequity rate: (max/min FMR)^alpha (max/min FNMR)^(1 - alpha); 1 is equal, undefined when a group has no error.
std::optional<double> inequity_rate(const Spread& fmr, const Spread& fnmr, double alpha);

}  // namespace likeness::eval
