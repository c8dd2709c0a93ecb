// Gates: what a specification may say, and what is judged from scores.
#include "eval/gate/gate.h"

#include <gtest/gtest.h>

#include "tests/eval/gate_simulation.h"
#include "tests/support/errors.h"

namespace likeness::eval {
namespace {

GateSpec spec(const std::string& gates, const std::string& rest = "") {
  return parse_gate_spec("resample: {replicates: 300}\n" + rest + "gates:\n" + gates, "gate.yaml");
}
const test::World kWorld{.subjects = 150, .genuine = 4, .separation = 3};
const ScoreArchive& shipped() {
  static const ScoreArchive a = test::simulate(kWorld, 1);
  return a;
}
GateInput input(const ScoreArchive& scores, const std::string& name = "new.scores.h5") {
  return {name, scores, std::nullopt};
}
GateReport run(const GateSpec& s, const ScoreArchive& candidate, const std::string& today = "2026-06-15") {
  return judge(s, input(candidate), input(shipped(), "old.scores.h5"), today, 0);
}
std::string refused(const std::string& gates, const std::string& rest = "") {
  return test::refusal([&] { spec(gates, rest); }, ErrorKind::kUsage);
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(GateSpec, Reads) {
  const GateSpec s = parse_gate_spec(
      "alpha: 0.1\non_inconclusive: warn\nresample: {replicates: 500, seed: 7}\ndata: {digest: abc, pairs: 6000, "
      "max_fta: 0.01}\n"
      "operating_point: {threshold: 0.35, precision: f32, flip: sum}\n"
      "gates:\n  tar: {metric: tar@fmr=0.001, at_least: 0.9}\n  women: {metric: fnmr@fmr=1e-2, by: [gender], "
      "worse_by_at_most: 0.01}\n"
      "waivers:\n  tar: {until: 2027-01-31, reason: new camera}\n",
      "gate.yaml");
  EXPECT_EQ(s.alpha, .1);
  EXPECT_FALSE(s.block_inconclusive);
  EXPECT_EQ(s.resample.replicates, 500);
  EXPECT_EQ(s.resample.seed, 7u);
  EXPECT_EQ(s.pairs, 6000);
  EXPECT_EQ(s.threshold, .35);
  ASSERT_EQ(s.gates.size(), 2u);
  EXPECT_EQ(s.gates[0].metric.name, "tar@fmr=1e-3");
  EXPECT_EQ(s.gates[1].by, std::vector<std::string>{"gender"});
  EXPECT_EQ(s.gates[1].rule, Gate::Rule::kWorseByAtMost);
  EXPECT_EQ(s.waivers[0].reason, "new camera");
}

TEST(GateSpec, RefusesByName) {
  EXPECT_TRUE(has(refused("  a: {metric: tar@fmr=1e-3, at_leest: 0.9}\n"), "at_least")) << "the nearest key";
  EXPECT_TRUE(has(refused("  a: {metric: fnmr@treshold, at_most: 0.9}\n"), "did you mean fnmr@threshold"));
  EXPECT_TRUE(has(refused("  a: {metric: fmr@threshold, at_most: 0.01}\n"), "operating_point.threshold"));
  EXPECT_TRUE(has(refused("  a: {metric: eer}\n"), "worse_by_at_most")) << "no rule";
  EXPECT_TRUE(has(refused("  a: {metric: eer, at_most: 0.1, worse_by_at_most: 0.1}\n"), "at_most, worse_by_at_most"))
      << "two rules";
  EXPECT_TRUE(has(refused("  a: {metric: eer, at_least: 0.1}\n"), "better when higher"));
  EXPECT_TRUE(has(refused("  a: {metric: auc, at_most: 0.1}\n"), "better when lower"));
  EXPECT_TRUE(has(refused("  a: {metric: fnmr@fmr=1e-2, max_over_geomean: 2}\n"), "by: attributes"));
  EXPECT_TRUE(has(refused("  a: {metric: eer, by: gender, at_most: 0.1}\n"), "which groups have"));
  EXPECT_TRUE(has(refused("  a: {metric: eer, at_most: 0.1}\n", "waivers:\n  b: {until: 2027-01-01, reason: x}\n"),
                  "a gate: a"));
  EXPECT_TRUE(
      has(refused("  a: {metric: eer, at_most: 0.1}\n", "waivers:\n  a: {until: soon, reason: x}\n"), "2027-01-31"));
  EXPECT_TRUE(
      has(refused("  a: {metric: eer, at_most: 0.1}\n", "waivers:\n  a: {until: 2027-01-01}\n"), "need not pass"));
  EXPECT_TRUE(has(test::refusal([] { parse_gate_spec("alpha: 0.05\n", "gate.yaml"); }, ErrorKind::kUsage),
                  "at least one gate"));
  EXPECT_TRUE(has(refused("  a: {metric: eer, at_most: 0.1}\n", "alhpa: 0.1\n"), "did you mean alpha"));
}

TEST(Gate, AbsoluteLimits) {
  const double fnmr = at_fmr(group_scores(shipped(), {}).table.all.curve, 1e-2).fnmr();
  auto outcome = [&](double limit, const char* rule, const char* metric) {
    return run(spec(std::string("  a: {metric: ") + metric + ", " + rule + ": " + std::to_string(limit) + "}\n"),
               shipped())
        .outcome;
  };
  EXPECT_EQ(outcome(fnmr + .15, "at_most", "fnmr@fmr=1e-2"), Outcome::kPass);
  EXPECT_EQ(outcome(fnmr + .01, "at_most", "fnmr@fmr=1e-2"), Outcome::kInconclusive);
  EXPECT_EQ(outcome(fnmr - .15, "at_most", "fnmr@fmr=1e-2"), Outcome::kFail);
  EXPECT_EQ(outcome(1 - fnmr - .15, "at_least", "tar@fmr=1e-2"), Outcome::kPass);
  EXPECT_EQ(outcome(1 - fnmr + .15, "at_least", "tar@fmr=1e-2"), Outcome::kFail);
  EXPECT_EQ(outcome(.9, "at_least", "auc"), Outcome::kInconclusive) << "an AUC is provisional";
  EXPECT_EQ(outcome(.02, "at_most", "eer"), Outcome::kFail);
}

TEST(Gate, PairedLimits) {
  const GateSpec s = spec("  a: {metric: fnmr@fmr=1e-2, worse_by_at_most: 0.05}\n");
  EXPECT_EQ(run(s, shipped()).exit_code, 0);
  EXPECT_EQ(run(s, test::simulate(kWorld, 1, 1, .95, .8)).exit_code, 0) << "better";
  EXPECT_EQ(run(s, test::simulate(kWorld, 1, 1, .9, -1.2)).exit_code, 1) << "far worse";
  const GateReport close = run(s, test::simulate(kWorld, 1, 1, .7, -.1));
  EXPECT_EQ(close.exit_code, 3) << close.to_text();
  const GateReport alone = judge(s, input(shipped()), std::nullopt, "2026-06-15", 0);
  EXPECT_EQ(alone.exit_code, 3);
  EXPECT_TRUE(has(alone.verdicts[0].cells[0].why, "no baseline"));
}

TEST(Gate, AShiftedScaleFailsAtTheShippedThreshold) {
  const double t = kWorld.threshold(.01);
  const std::string point = "operating_point: {threshold: " + std::to_string(t) + "}\n",
                    gates = "  scale: {metric: fmr@threshold, at_most: 0.02}\n";
  EXPECT_EQ(run(spec(gates, point), shipped()).exit_code, 0);
  ScoreArchive shifted = shipped();  // the same ROC
  for (double& x : shifted.scores) x += .08;
  EXPECT_EQ(run(spec("  roc: {metric: fnmr@fmr=1e-2, worse_by_at_most: 0.03}\n" + gates, point), shifted).exit_code, 1);
}

TEST(Gate, GroupsMustAllPass) {
  const GateSpec s = spec("  groups: {metric: fnmr@fmr=1e-2, by: gender, worse_by_at_most: 0.1}\n");
  EXPECT_EQ(run(s, shipped()).exit_code, 0);
  ScoreArchive b = shipped();
  for (std::size_t p = 0; p < b.size(); ++p)
    if (b.genuine[p] && b.subject_a[p] % 2 == 0) b.scores[p] -= .15;
  const GateReport r = run(s, b);
  EXPECT_EQ(r.exit_code, 1);
  ASSERT_EQ(r.verdicts[0].cells.size(), 2u);
  EXPECT_EQ(r.verdicts[0].cells[0].outcome, Outcome::kFail) << "women";
  EXPECT_EQ(r.verdicts[0].cells[1].outcome, Outcome::kPass) << "men";
  const GateSpec even = spec("  even: {metric: fnmr@fmr=1e-2, by: gender, max_over_geomean: 1.45}\n");
  EXPECT_EQ(run(even, shipped()).exit_code, 0) << run(even, shipped()).to_text();
  EXPECT_EQ(run(even, b).exit_code, 1) << run(even, b).to_text();
}

TEST(Gate, FewErrorsAreInconclusive) {
  const GateReport r = run(
      spec("  far: {metric: fnmr@fmr=1e-6, at_most: 0.9}\n  few: {metric: fnmr@fmr=1e-3, at_most: 0.9}\n"), shipped());
  EXPECT_EQ(r.exit_code, 3);
  EXPECT_TRUE(has(r.verdicts[0].cells[0].why, "suppressed"));
  EXPECT_FALSE(r.verdicts[0].cells[0].candidate);
  EXPECT_TRUE(has(r.verdicts[1].cells[0].why, "provisional")) << r.to_text();
}

TEST(Gate, PrecedenceAndWarnings) {
  const std::string fail = "  bad: {metric: eer, at_most: 0.01}\n",
                    unsure = "  far: {metric: fnmr@fmr=1e-6, at_most: 0.9}\n";
  EXPECT_EQ(run(spec(fail + unsure), shipped()).exit_code, 1);
  EXPECT_EQ(run(spec(unsure), shipped()).exit_code, 3);
  EXPECT_EQ(run(spec(unsure, "on_inconclusive: warn\n"), shipped()).exit_code, 0);
  EXPECT_EQ(run(spec(fail + unsure, "on_inconclusive: warn\n"), shipped()).exit_code, 1);
  const std::string until = "waivers:\n  bad: {until: 2026-06-15, reason: \"old <camera>\"}\n";
  EXPECT_EQ(run(spec(fail, until), shipped(), "2026-06-15").exit_code, 0) << "its last day";
  EXPECT_EQ(run(spec(fail, until), shipped(), "2026-06-16").exit_code, 1) << "expired";
  EXPECT_EQ(run(spec(fail + unsure, until), shipped()).exit_code, 3) << "a waiver is for its own gate";
  EXPECT_TRUE(has(run(spec(fail, until), shipped()).to_junit(),
                  "<skipped message=\"eer at_most 1.000 %: fail, waived: old &lt;camera&gt;\"/>"));
}

TEST(Gate, WrongDataIsNoFailedGate) {
  const std::string gates = "  a: {metric: eer, at_most: 0.5}\n";
  auto kind = [&](const std::string& rest, const ScoreArchive& a) {
    return test::error_of([&] { run(spec(gates, rest), a); }).kind();
  };
  EXPECT_EQ(kind("data: {digest: \"12\"}\n", shipped()), ErrorKind::kData);
  EXPECT_EQ(kind("data: {pairs: 12}\n", shipped()), ErrorKind::kData);
  EXPECT_EQ(kind("operating_point: {flip: sum}\n", shipped()), ErrorKind::kData);
  ScoreArchive failed = shipped();
  for (std::size_t p = 0; p < 1000; ++p) failed.scores[p] = std::nan("");
  EXPECT_EQ(kind("data: {max_fta: 0.05}\n", failed), ErrorKind::kData);
  ScoreArchive other = shipped();
  other.trial_digest = "00000000000000000000000000000009";
  EXPECT_EQ(kind("", other), ErrorKind::kData);
  EXPECT_EQ(run(spec(gates, "data: {digest: \"" + shipped().trial_digest +
                                "\", pairs: " + std::to_string(shipped().size()) + ", max_fta: 0}\n"),
                shipped())
                .exit_code,
            0);
}

TEST(Gate, FailingIsCorrectedForTheNumberOfFigures) {
  // One figure that fails by itself at a level that does not survive among twenty.
  const double fnmr = at_fmr(group_scores(shipped(), {}).table.all.curve, 1e-2).fnmr();
  const std::string gates = "  first: {metric: fnmr@fmr=1e-2, at_most: " + std::to_string(fnmr - .055) + "}\n";
  std::string more = gates;
  for (int k = 0; k < 19; ++k) more += "  other" + std::to_string(k) + ": {metric: eer, at_most: 0.5}\n";
  const GateReport alone = run(spec(gates), shipped()), many = run(spec(more), shipped());
  ASSERT_GT(alone.verdicts[0].cells[0].p, .05 / 20) << alone.to_json();
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_EQ(many.exit_code, 3);
  EXPECT_TRUE(has(many.verdicts[0].cells[0].why, "Holm"));
}

TEST(Gate, ResultFilesServeAbsoluteGatesOnly) {
  Result r;
  r.kind = "verification";
  r.data = {{"trial_digest", "d"}, {"genuine", 10}, {"impostors", 20}, {"people", 70}};
  Measure m = Measure::rate(30, 1000, "pair", {});
  r.metrics["eer"] = m;
  const GateSpec s = spec("  a: {metric: eer, at_most: 0.1}\n  b: {metric: eer, worse_by_at_most: 0.1}\n");
  auto judged = [&] { return judge(s, {"r.json", std::nullopt, r}, std::nullopt, "2026-06-15", 0); };
  EXPECT_TRUE(has(judged().verdicts[0].cells[0].why, "not a subject bootstrap"));
  r.metrics["eer"].interval.method = kSubjectBootstrap;
  EXPECT_EQ(judged().verdicts[0].outcome, Outcome::kPass);
  EXPECT_EQ(judged().verdicts[1].outcome, Outcome::kInconclusive);
  EXPECT_TRUE(has(judged().verdicts[1].cells[0].why, "no scores to pair"));
  EXPECT_EQ(judged().exit_code, 3);
}

TEST(Gate, Reports) {
  std::string many = "  bad: {metric: eer, at_most: 0.01}\n";
  for (int k = 0; k < 3; ++k) many += "  ok" + std::to_string(k) + ": {metric: eer, at_most: 0.5}\n";
  GateReport r = run(spec(many), shipped());
  EXPECT_TRUE(has(r.to_junit(), "tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\"")) << r.to_junit();
  EXPECT_TRUE(has(r.to_markdown(), "## Gate: fail"));
  EXPECT_EQ(r.to_json().at("gates").size(), 4u);
  EXPECT_EQ(r.to_json().at("exit"), 1);
  while (r.verdicts.size() < 9000) r.verdicts.push_back(r.verdicts[0]);
  EXPECT_LT(r.to_markdown().size(), 1'000'000u);
  EXPECT_TRUE(has(r.to_markdown(), "8,500 more rows"));
}

// At a true loss equal to the margin a gate passes at most once in twenty (2,000 runs behind the label `statistics`).
TEST(Gate, FalsePassesAreRare) {
  const int runs = 200, passed = test::false_passes(runs, 150);
  std::printf("false passes at the margin: %d of %d\n", passed, runs);
  EXPECT_LE(passed, runs * .05 + 3 * std::sqrt(runs * .05 * .95));
  EXPECT_GT(passed, 0) << "a gate that never passes at its margin proves nothing";
}

}  // namespace
}  // namespace likeness::eval
