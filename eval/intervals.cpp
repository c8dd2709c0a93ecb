#include "eval/intervals.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/progress.h"

namespace likeness::eval {
namespace {

constexpr double kLevel = 0.95;

const SubjectTable& table_of(const GroupedTable& t, const Figure& f) {
  return f.group < 0 ? t.all : t.groups[static_cast<std::size_t>(f.group)];
}

bool is_rate(const Figure& f) { return f.kind == Figure::Kind::kFmr || f.kind == Figure::Kind::kFnmr; }

}  // namespace

std::vector<std::string> figure_names() {
  return {"tar@fmr=RATE",  "fnmr@fmr=RATE", "tar@threshold", "fnmr@threshold",
          "fmr@threshold", "fmr@fmr=RATE",  "eer",           "auc"};
}

bool find_figure(const std::string& name, double threshold, NamedFigure* out) {
  using Kind = Figure::Kind;
  using At = Figure::At;
  if (name == "eer" || name == "auc") {
    *out = {name, {name == "eer" ? Kind::kEer : Kind::kAuc, At::kFmrTarget, 0, -1}, name == "auc"};
    return true;
  }
  const auto at = name.find('@');
  const std::string rate = name.substr(0, at), point = at == std::string::npos ? "" : name.substr(at + 1);
  if (rate != "tar" && rate != "fnmr" && rate != "fmr") return false;
  const Kind kind = rate == "fmr" ? Kind::kFmr : Kind::kFnmr;
  if (point == "threshold") {
    *out = {name, {kind, At::kThreshold, threshold, -1}, rate == "tar"};
    return true;
  }
  if (!point.starts_with("fmr=")) return false;
  char* end = nullptr;
  const double target = std::strtod(point.c_str() + 4, &end);
  if (*end != '\0' || !(target > 0 && target < 1)) return false;
  *out = {rate + "@fmr=" + number_name(target), {kind, At::kFmrTarget, target, -1}, rate == "tar"};
  return true;
}

Basis basis_of(const GroupedTable& table, const Figure& figure) {
  const SubjectTable& t = table_of(table, figure);
  Basis b;
  const std::int64_t genuine = t.genuine_total(), impostors = t.impostor_total();
  // A threshold that is found here needs impostors enough, whatever is then read off.
  const bool found = is_rate(figure) && figure.how == Figure::At::kFmrTarget;
  if (found) b.support = support_of_target(table.all.impostor_total(), figure.at, "impostor pairs");
  switch (figure.kind) {
    case Figure::Kind::kFmr:
      b.people = t.impostor_subjects, b.comparisons = impostors;
      break;
    case Figure::Kind::kFnmr:
      b.people = found && figure.group < 0 ? std::min(t.genuine_subjects, t.impostor_subjects) : t.genuine_subjects;
      b.comparisons = genuine;
      break;
    default:
      b.people = std::min(t.genuine_subjects, t.impostor_subjects);
      // Measured at 50 and 200 people (coverage_statistics_test.cpp): near 1 the AUC hangs on the few with the worst scores.
      if (figure.kind == Figure::Kind::kAuc)
        b.support = {Support::kProvisional, "the interval of an AUC near 1 covers 90 % where it says 95 %"};
      if (genuine == 0 || impostors == 0)
        b.support = {Support::kSuppressed, genuine == 0 ? "no genuine pairs" : "no impostor pairs"};
  }
  if (is_rate(figure)) {
    const double rate = b.comparisons == 0 ? 0 : sample_figure(table, figure);
    b.errors = std::llround(rate * static_cast<double>(b.comparisons));
    const bool fmr = figure.kind == Figure::Kind::kFmr;
    // A group's FMR at a target is judged by the errors that are expected of it.
    const Verdict own = fmr && found
                            ? support_of_target(b.comparisons, figure.at, "impostor pairs")
                            : support_of_counts(b.errors, b.comparisons, fmr ? "impostor pairs" : "genuine pairs");
    b.support = weaker(b.support, own);
  }
  if (b.support.support != Support::kSuppressed) b.support = weaker(b.support, support_of_subjects(b.people));
  return b;
}

Estimate estimate(const GroupedTable& table, const Figure& figure, const std::vector<double>& replicates) {
  const Basis b = basis_of(table, figure);
  return Estimate::rate(sample_figure(table, figure), b.comparisons, replicate_variance(replicates, table.all.subjects),
                        b.people);
}

void add_intervals(Result& result, const ScoreArchive& scores, const std::vector<OperatingTarget>& at,
                   const BootstrapOptions& options) {
  std::vector<std::string> names = {"auc", "eer"};
  std::vector<NamedFigure> figures;
  for (const OperatingTarget& t : at)
    for (const char* rate : {"tar", "fnmr", "fmr"})
      names.push_back(std::string(rate) + "@" + (t.kind == OperatingTarget::Kind::kFmr ? t.name() : "threshold"));
  for (const std::string& name : names) {
    const auto m = result.metrics.find(name);
    NamedFigure f;
    if (m == result.metrics.end() || !m->second.value || !find_figure(name, m->second.threshold.value_or(0), &f))
      continue;
    figures.push_back(f);
  }
  std::int64_t people = 0;
  const std::vector<std::int32_t> person = join_subjects(scores, &people);
  const GroupedTable table{subject_table(scores, person, people), {}};
  std::vector<Figure> plain;
  std::vector<Shares> shares;
  for (const NamedFigure& f : figures) plain.push_back(f.figure), shares.push_back(noise_shares(table, f.figure));
  const auto replicates = bootstrap(table, plain, shares, options);
  for (std::size_t k = 0; k < figures.size(); ++k) {
    const Figure& f = figures[k].figure;
    Measure& m = result.metrics[figures[k].name];
    const Estimate e = estimate(table, f, replicates[k]);
    const Limits limits = e.limits(kLevel);
    const bool turned = figures[k].higher_is_better && f.kind == Figure::Kind::kFnmr;
    m.low = turned ? 1 - limits.high : limits.low;
    m.high = turned ? 1 - limits.low : limits.high;
    m.status = weaker(m.status, basis_of(table, f).support);
    m.interval = {kSubjectBootstrap, kLevel, "subject", options.replicates, static_cast<std::int64_t>(options.seed)};
  }
  result.data["people"] = people;
  result.conditions["interval"] = "95 %, subject bootstrap of " +
                                  format_count(static_cast<std::uint64_t>(options.replicates)) + " replicates over " +
                                  format_count(static_cast<std::uint64_t>(people)) + " people";
}

}  // namespace likeness::eval
