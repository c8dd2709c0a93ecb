#include "eval/paired.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/error.h"
#include "core/progress.h"

namespace likeness::eval {
namespace {

// The group of each subject, or -1.
std::vector<int> groups_of(const ScoreArchive& scores, const std::vector<std::string>& by, std::vector<Where>* names) {
  std::vector<const AttributeColumn*> columns;
  for (const std::string& name : by) {
    columns.push_back(scores.subject_attributes.find(name));
    if (columns.back()) continue;
    std::string have;
    for (const AttributeColumn& c : scores.subject_attributes.columns) have += (have.empty() ? "" : ", ") + c.name;
    fail_usage({"the people have no such attribute", "by " + name,
                have.empty() ? "scores of a set with attributes" : have, name,
                "attributes enter a set at import: likeness data import … --attributes FILE.csv"});
  }
  std::map<std::vector<std::string>, std::vector<std::size_t>> members;
  for (std::size_t s = 0; s < scores.subject_ids.size(); ++s) {
    std::vector<std::string> values;
    for (const AttributeColumn* c : columns) values.push_back(c->text(s));
    if (std::find(values.begin(), values.end(), "") == values.end()) members[values].push_back(s);
  }
  std::vector<int> group(scores.subject_ids.size(), -1);
  for (const auto& [values, list] : members) {
    Where where;
    for (std::size_t k = 0; k < by.size(); ++k) where[by[k]] = values[k];
    for (std::size_t s : list) group[s] = static_cast<int>(names->size());
    names->push_back(where);
  }
  return group;
}

// Errors of two models on the comparisons of a figure's class.
void count_discordant(const GroupedScores& a, const GroupedScores& b, const Figure& f, PairedFigure* out) {
  const bool genuine = f.kind == Figure::Kind::kFnmr;
  auto wrong = [&](double score, double threshold) {
    return (score >= threshold) != genuine;
  };  // NaN is never accepted
  auto look = [&](std::size_t row) {
    if ((a.scores.genuine[row] != 0) != genuine) return;
    const bool x = wrong(a.scores.scores[row], out->threshold_a), y = wrong(b.scores.scores[row], out->threshold_b);
    out->only_a_wrong += x && !y, out->only_b_wrong += y && !x;
  };
  if (const auto* rows = a.rows_of(f))
    for (std::int64_t row : *rows) look(static_cast<std::size_t>(row));
  else
    for (std::size_t row = 0; row < a.scores.size(); ++row) look(row);
}

}  // namespace

GroupedScores group_scores(ScoreArchive scores, const std::vector<std::string>& by) {
  GroupedScores g;
  g.scores = std::move(scores);
  const std::vector<std::int32_t> person = join_subjects(g.scores, &g.people);
  g.table.all = subject_table(g.scores, person, g.people);
  if (by.empty()) return g;
  const std::vector<int> group = groups_of(g.scores, by, &g.groups);
  g.group_rows.resize(g.groups.size());
  for (std::size_t p = 0; p < g.scores.size(); ++p) {
    const int x = group[static_cast<std::size_t>(g.scores.subject_a[p])],
              y = group[static_cast<std::size_t>(g.scores.subject_b[p])];
    if (x >= 0 && x == y) g.group_rows[static_cast<std::size_t>(x)].push_back(static_cast<std::int64_t>(p));
  }
  for (const auto& rows : g.group_rows) g.table.groups.push_back(subject_table(g.scores, person, g.people, &rows));
  return g;
}

void pair_archives(const ScoreArchive& a, ScoreArchive& b, const std::string& a_name, const std::string& b_name) {
  auto refuse = [&](const char* what, const std::string& expected, const std::string& got) {
    fail_data({what, a_name + " and " + b_name, expected, got, "evaluate both models on the same list of pairs"});
  };
  if (a.trial_digest != b.trial_digest)
    refuse("the two are not of the same trials", "trial digest " + a.trial_digest, b.trial_digest);
  if (a.size() != b.size())
    refuse("the two hold different numbers of comparisons", format_count(a.size()), format_count(b.size()));
  if (a.genuine != b.genuine)
    refuse("the two label comparisons differently", "the same labels", "others under the same digest");
  b.subject_a = a.subject_a, b.subject_b = a.subject_b, b.subject_ids = a.subject_ids,
  b.subject_attributes = a.subject_attributes;
}

double mcnemar_exact(std::int64_t b, std::int64_t c) {
  const std::int64_t n = b + c, k = std::min(b, c);
  double sum = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    const double x = static_cast<double>(i), all = static_cast<double>(n);
    sum += std::exp(std::lgamma(all + 1) - std::lgamma(x + 1) - std::lgamma(all - x + 1) - all * std::log(2.0));
  }
  return std::min(1.0, 2 * sum);
}

double threshold_of(const SubjectTable& t, const Figure& f) {
  if (f.kind == Figure::Kind::kAuc) return std::numeric_limits<double>::quiet_NaN();
  if (f.kind == Figure::Kind::kEer) return equal_error_rate(t.curve).at.threshold;
  return f.how == Figure::At::kThreshold ? f.at : at_fmr(t.curve, f.at).threshold;
}

std::vector<PairedFigure> pair_figures(const GroupedScores& a, const GroupedScores& b,
                                       const std::vector<Figure>& figures, const BootstrapOptions& options) {
  std::vector<Shares> shares;
  for (const Figure& f : figures) shares.push_back(paired_noise_shares(a.table, b.table, f));
  const auto of_a = bootstrap(a.table, figures, shares, options), of_b = bootstrap(b.table, figures, shares, options);
  std::vector<PairedFigure> out;
  for (std::size_t k = 0; k < figures.size(); ++k) {
    const Figure& f = figures[k];
    PairedFigure p;
    p.a = sample_figure(a.table, f), p.b = sample_figure(b.table, f);
    p.threshold_a = threshold_of(a.table.all, f), p.threshold_b = threshold_of(b.table.all, f);
    p.basis_a = basis_of(a.table, f), p.basis_b = basis_of(b.table, f);
    // Target, people and classes are the same for both; of errors, either model's are enough to carry a difference.
    p.support = p.basis_a.support.support <= p.basis_b.support.support ? p.basis_a.support : p.basis_b.support;
    const double variance = replicate_variance(differences(of_a[k], of_b[k]), a.people);
    if (f.kind == Figure::Kind::kFmr || f.kind == Figure::Kind::kFnmr) {
      if (p.basis_a.comparisons > 0) {
        count_discordant(a, b, f, &p);
        p.mcnemar = mcnemar_exact(p.only_a_wrong, p.only_b_wrong);
        p.loss =
            Estimate::difference(p.only_a_wrong, p.only_b_wrong, p.basis_a.comparisons, variance, p.basis_a.people);
      }
    } else {
      p.loss = Estimate::plain(f.kind == Figure::Kind::kAuc ? p.a - p.b : p.b - p.a, variance, p.basis_a.people);
    }
    out.push_back(p);
  }
  return out;
}

}  // namespace likeness::eval
