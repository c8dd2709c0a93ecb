// How often a paired gate passes a candidate whose true loss is exactly the margin, where people differ.
#pragma once

#include "eval/gate/gate.h"
#include "tests/eval/simulate.h"

namespace likeness::test {

inline int false_passes(int runs, std::int64_t replicates) {
  const World world{.subjects = 100, .genuine = 5, .separation = 3};
  const double shift = .3, t = world.threshold(.01), margin = world.fnmr(t + .1 * shift) - world.fnmr(t);
  eval::GateSpec spec =
      eval::parse_gate_spec("gates:\n  loss: {metric: fnmr@fmr=1e-2, worse_by_at_most: 0.5}\n", "gate.yaml");
  spec.gates[0].limit = margin;
  spec.resample.replicates = replicates;
  int passed = 0;
  for (int r = 0; r < runs; ++r) {
    const auto seed = static_cast<std::uint64_t>(r);
    spec.resample.seed = seed;
    const eval::GateReport report =
        eval::judge(spec, {"candidate", simulate(world, seed, 1, .8, -shift), std::nullopt},
                    eval::GateInput{"baseline", simulate(world, seed), std::nullopt}, "2026-06-15", 0);
    passed += report.outcome == eval::Outcome::kPass;
  }
  return passed;
}

}  // namespace likeness::test
