// How often intervals hold the truth, over simulated sets (shared by the default test and the long one).
#pragma once

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "eval/paired.h"
#include "tests/eval/simulate.h"

namespace likeness::test {

struct Coverage {
  int sets = 0, held = 0, wilson_held = 0, ok = 0;  // ok: sets whose figure the support rule calls ok
  double share() const { return static_cast<double>(held) / sets; }
  double deviation() const { return std::sqrt(.95 * .05 / sets); }
};

// fmr@threshold and fnmr@fmr at each rate, eer, auc.
inline std::map<std::string, Coverage> measure_coverage(const World& world, const std::vector<double>& rates, int sets,
                                                        std::int64_t replicates) {
  using namespace eval;
  std::vector<NamedFigure> figures(2 + 2 * rates.size());
  std::vector<double> truth = {world.eer(), world.auc()};
  find_figure("eer", 0, &figures[0]), find_figure("auc", 0, &figures[1]);
  for (std::size_t k = 0; k < rates.size(); ++k) {
    const double t = world.threshold(rates[k]);
    find_figure("fmr@threshold", t, &figures[2 + 2 * k]);
    find_figure("fnmr@fmr=" + number_name(rates[k]), 0, &figures[3 + 2 * k]);
    figures[2 + 2 * k].name = "fmr=" + number_name(rates[k]) + "@threshold";
    truth.push_back(rates[k]), truth.push_back(world.fnmr(t));
  }
  std::map<std::string, Coverage> out;
  for (int s = 0; s < sets; ++s) {
    const GroupedScores g = group_scores(simulate(world, static_cast<std::uint64_t>(s)), {});
    std::vector<Figure> plain;
    std::vector<Shares> shares;
    for (const NamedFigure& f : figures) plain.push_back(f.figure), shares.push_back(noise_shares(g.table, f.figure));
    const auto replicates_of = bootstrap(g.table, plain, shares, {replicates, static_cast<std::uint64_t>(s), 0});
    for (std::size_t k = 0; k < figures.size(); ++k) {
      const Limits limits = estimate(g.table, plain[k], replicates_of[k]).limits(.95);
      const Basis basis = basis_of(g.table, plain[k]);
      Coverage& c = out[figures[k].name];
      ++c.sets;
      c.held += limits.low <= truth[k] && truth[k] <= limits.high;
      c.ok += basis.support.support == Support::kOk;
      if (basis.comparisons == 0) continue;
      const Limits pairs = wilson(basis.errors, basis.comparisons);
      c.wilson_held += pairs.low <= truth[k] && truth[k] <= pairs.high;
    }
  }
  return out;
}

inline void print(const World& world, const std::map<std::string, Coverage>& table) {
  for (const auto& [name, c] : table)
    std::printf("%5d people  %-20s  covered %5.1f %%  (Wilson over pairs %5.1f %%), ok in %d of %d sets\n",
                world.subjects, name.c_str(), 100 * c.share(), 100. * c.wilson_held / c.sets, c.ok, c.sets);
}

}  // namespace likeness::test
