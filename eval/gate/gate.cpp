#include "eval/gate/gate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "eval/gate/input.h"

namespace likeness::eval {
namespace {

using Rule = Gate::Rule;

// Scores grouped by every combination of attributes that some gate asks for.
class Grouped {
 public:
  explicit Grouped(const std::optional<ScoreArchive>& scores) : scores_(scores) {}
  bool given() const { return scores_.has_value(); }
  const GroupedScores& by(const std::vector<std::string>& attributes) {
    const auto it = cache_.find(attributes);
    if (it != cache_.end()) return it->second;
    return cache_.emplace(attributes, group_scores(*scores_, attributes)).first->second;
  }

 private:
  const std::optional<ScoreArchive>& scores_;
  std::map<std::vector<std::string>, GroupedScores> cache_;
};

std::vector<Figure> cells_of(const Gate& gate, const GroupedScores& scores) {
  if (gate.by.empty()) return {gate.metric.figure};
  std::vector<Figure> figures(scores.groups.size(), gate.metric.figure);
  for (std::size_t g = 0; g < figures.size(); ++g) figures[g].group = static_cast<int>(g);
  return figures;
}

std::optional<double> own_direction(const Gate& gate, double x) {
  if (!std::isfinite(x)) return std::nullopt;
  return gate.metric.higher_is_better && gate.metric.figure.kind == Figure::Kind::kFnmr ? 1 - x : x;
}

// Limits and p-value; failing is decided later, over all cells.
void decide(GateCell& cell, const Estimate& e, const Verdict& support, double alpha) {
  if (support.support == Support::kSuppressed) {
    cell.why = "suppressed: " + support.why;
    return;
  }
  cell.loss = e.value(), cell.low = e.low(alpha), cell.high = e.high(alpha);
  if (support.support == Support::kProvisional) {
    cell.why = "provisional: " + support.why;
    return;
  }
  cell.p = e.p_above(cell.bound);
  if (*cell.high <= cell.bound) {
    cell.outcome = Outcome::kPass;
    return;
  }
  cell.why = "undecided: the loss may be on either side of the limit";
  if (const std::int64_t more = e.more_people(cell.bound, alpha); more >= 0) cell.more_people = more;
}

std::vector<GateCell> judge_alone(const Gate& gate, const GroupedScores& s, const GateSpec& spec) {
  const std::vector<Figure> figures = cells_of(gate, s);
  std::vector<Shares> shares;
  for (const Figure& f : figures) shares.push_back(noise_shares(s.table, f));
  const auto replicates = bootstrap(s.table, figures, shares, spec.resample);
  std::vector<GateCell> cells;
  for (std::size_t k = 0; k < figures.size(); ++k) {
    const Figure& f = figures[k];
    const Basis b = basis_of(s.table, f);
    const double value = sample_figure(s.table, f);
    GateCell cell;
    cell.where = s.where_of(f);
    cell.people = b.people;
    if (b.support.support != Support::kSuppressed) cell.candidate = own_direction(gate, value);
    cell.bound = gate.rule == Rule::kAtLeast ? 1 - gate.limit : gate.limit;
    const double error = f.kind == Figure::Kind::kAuc ? 1 - value : value;
    decide(cell,
           Estimate::rate(std::isnan(error) ? 0 : error, b.comparisons, replicate_variance(replicates[k], s.people),
                          b.people),
           b.support, spec.alpha);
    cells.push_back(cell);
  }
  return cells;
}

std::vector<GateCell> judge_paired(const Gate& gate, const GroupedScores& candidate, const GroupedScores& baseline,
                                   const GateSpec& spec) {
  const std::vector<Figure> figures = cells_of(gate, candidate);
  const std::vector<PairedFigure> paired = pair_figures(baseline, candidate, figures, spec.resample);
  std::vector<GateCell> cells;
  for (std::size_t k = 0; k < figures.size(); ++k) {
    const PairedFigure& p = paired[k];
    GateCell cell;
    cell.where = candidate.where_of(figures[k]);
    cell.people = p.basis_b.people;
    if (p.support.support != Support::kSuppressed)
      cell.candidate = own_direction(gate, p.b), cell.baseline = own_direction(gate, p.a);
    cell.bound = gate.limit;
    decide(cell, p.loss, p.support, spec.alpha);
    cells.push_back(cell);
  }
  return cells;
}

// Each group's rate over the geometric mean: the largest is within the limit iff all are, and no maximum, which chance
// inflates, is taken of a sample.
std::vector<GateCell> judge_ratios(const Gate& gate, const GroupedScores& s, const GateSpec& spec) {
  const std::vector<Figure> figures = cells_of(gate, s);
  std::vector<Shares> shares;
  for (const Figure& f : figures) shares.push_back(noise_shares(s.table, f));
  auto replicates = bootstrap(s.table, figures, shares, spec.resample);
  std::vector<double> sample;
  Verdict support;
  for (const Figure& f : figures) {
    sample.push_back(sample_figure(s.table, f));
    support = weaker(support, basis_of(s.table, f).support);
  }
  auto log_ratios = [](std::vector<double> rates) {
    double mean = 0;
    for (double& x : rates) mean += (x = std::log(x)) / static_cast<double>(rates.size());
    for (double& x : rates) x -= mean;
    return rates;
  };
  const std::vector<double> ratios = log_ratios(sample);
  for (std::size_t r = 0; r < static_cast<std::size_t>(spec.resample.replicates); ++r) {
    std::vector<double> rates;
    for (const auto& of : replicates) rates.push_back(of[r]);
    rates = log_ratios(rates);
    // A replicate in which a group has no error has no ratio.
    for (std::size_t k = 0; k < replicates.size(); ++k) replicates[k][r] = std::isfinite(rates[k]) ? rates[k] : NAN;
  }
  std::vector<GateCell> cells;
  for (std::size_t k = 0; k < figures.size(); ++k) {
    const Basis b = basis_of(s.table, figures[k]);
    GateCell cell;
    cell.where = s.where_of(figures[k]);
    cell.people = b.people;
    cell.bound = std::log(gate.limit);
    Verdict own = support;
    if (figures.size() < 2) own = {Support::kSuppressed, "fewer than two groups"};
    if (!std::isfinite(ratios[k])) own = {Support::kSuppressed, "a group without errors has no ratio"};
    if (b.support.support != Support::kSuppressed) cell.candidate = own_direction(gate, sample[k]);
    decide(cell, Estimate::plain(ratios[k], replicate_variance(replicates[k], s.people), b.people), own, spec.alpha);
    for (std::optional<double>* x : {&cell.loss, &cell.low, &cell.high})
      if (*x) *x = std::exp(**x);
    cell.bound = gate.limit;
    cells.push_back(cell);
  }
  return cells;
}

// Holm (1979): cells in order of p fail while p <= alpha / (cells that remain).
void mark_failures(std::vector<GateVerdict>& verdicts, double alpha) {
  std::vector<GateCell*> cells;
  std::size_t family = 0;
  for (GateVerdict& v : verdicts)
    for (GateCell& c : v.cells) {
      ++family;
      if (c.outcome != Outcome::kPass && c.p <= alpha) cells.push_back(&c);
    }
  std::stable_sort(cells.begin(), cells.end(), [](const GateCell* x, const GateCell* y) { return x->p < y->p; });
  bool failing = true;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    failing = failing && cells[k]->p <= alpha / static_cast<double>(family - k);
    cells[k]->more_people.reset();
    if (failing)
      cells[k]->outcome = Outcome::kFail, cells[k]->why = "the lower limit is above the limit of the gate";
    else
      cells[k]->why =
          "undecided: beyond the limit by itself, but not among " + std::to_string(family) + " figures (Holm)";
  }
}

Outcome worst(const std::vector<GateCell>& cells) {
  Outcome o = cells.empty() ? Outcome::kInconclusive : Outcome::kPass;
  for (const GateCell& c : cells) o = std::max(o, c.outcome);
  return o;
}

}  // namespace

GateReport judge(const GateSpec& spec, GateInput candidate, std::optional<GateInput> baseline, const std::string& today,
                 int threads) {
  GateReport report;
  report.spec = spec;
  report.spec.resample.threads = threads;
  report.data = check_data(spec, candidate);
  report.candidate = {{"path", candidate.name}};
  if (baseline) {
    report.baseline = {{"path", baseline->name}};
    if (baseline->scores && candidate.scores)
      pair_archives(*candidate.scores, *baseline->scores, candidate.name, baseline->name);
  }
  const std::optional<ScoreArchive> none;
  Grouped ours(candidate.scores), theirs(baseline ? baseline->scores : none);
  if (candidate.scores) report.data["people"] = ours.by({}).people;

  for (const Gate& gate : spec.gates) {
    GateVerdict v;
    v.gate = gate;
    if (!ours.given()) {
      v.cells = judge_result(gate, *candidate.result, report.spec);
    } else if (gate.rule == Rule::kWorseByAtMost && !theirs.given()) {
      GateCell cell;
      cell.bound = gate.limit;
      cell.why =
          baseline ? "missing: the baseline is a result file, which holds no scores to pair" : "missing: no baseline";
      v.cells.push_back(cell);
    } else if (gate.rule == Rule::kWorseByAtMost) {
      v.cells = judge_paired(gate, ours.by(gate.by), theirs.by(gate.by), report.spec);
    } else if (gate.rule == Rule::kMaxOverGeomean) {
      v.cells = judge_ratios(gate, ours.by(gate.by), report.spec);
    } else {
      v.cells = judge_alone(gate, ours.by(gate.by), report.spec);
    }
    report.verdicts.push_back(std::move(v));
  }
  mark_failures(report.verdicts, spec.alpha);
  for (GateVerdict& v : report.verdicts) {
    v.outcome = worst(v.cells);
    for (const Waiver& w : spec.waivers) {
      if (w.gate != v.gate.name) continue;
      if (w.until < today)
        v.expired = w.until;
      else if (v.outcome != Outcome::kPass)
        v.waived = w.reason;
    }
    if (v.waived.empty()) report.outcome = std::max(report.outcome, v.outcome);
  }
  report.exit_code = report.outcome == Outcome::kFail                                      ? 1
                     : report.outcome == Outcome::kInconclusive && spec.block_inconclusive ? 3
                                                                                           : 0;
  return report;
}

std::string to_string(Outcome outcome) {
  return outcome == Outcome::kPass ? "pass" : outcome == Outcome::kFail ? "fail" : "inconclusive";
}

}  // namespace likeness::eval
