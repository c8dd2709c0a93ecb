#include "eval/metrics/subject_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace likeness::eval {
namespace {

std::int64_t distinct(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b, std::int64_t subjects) {
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(subjects) + 1, 0);
  for (const auto* list : {&a, &b})
    for (std::int32_t s : *list) seen[static_cast<std::size_t>(s)] = 1;
  seen.back() = 0;  // not a person
  return std::count(seen.begin(), seen.end(), std::uint8_t{1});
}

// Numbers the pairs of people by first occurrence in (a, b) order.
void number_pairs(SubjectTable& t) {
  const std::size_t n = t.impostor_a.size();
  std::vector<std::pair<std::uint64_t, std::uint32_t>> keys(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto [low, high] = std::minmax(t.impostor_a[i], t.impostor_b[i]);
    keys[i] = {static_cast<std::uint64_t>(low) << 32 | static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(i)};
  }
  std::sort(keys.begin(), keys.end());
  t.impostor_pair.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    if (k == 0 || keys[k].first != keys[k - 1].first) ++t.pairs;
    t.impostor_pair[keys[k].second] = t.pairs - 1;
  }
}

}  // namespace

std::vector<std::int32_t> join_subjects(const ScoreArchive& scores, std::int64_t* people) {
  std::vector<std::int32_t> root(scores.subject_ids.size());
  std::iota(root.begin(), root.end(), 0);
  auto find = [&](std::int64_t s) {
    auto i = static_cast<std::size_t>(s);
    while (static_cast<std::size_t>(root[i]) != i) {
      root[i] = root[static_cast<std::size_t>(root[i])];
      i = static_cast<std::size_t>(root[i]);
    }
    return static_cast<std::int32_t>(i);
  };
  for (std::size_t p = 0; p < scores.size(); ++p) {
    if (!scores.genuine[p] || scores.subject_a[p] == scores.subject_b[p]) continue;
    const std::int32_t a = find(scores.subject_a[p]), b = find(scores.subject_b[p]);
    root[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  std::vector<std::int32_t> person(root.size(), -1);
  std::int32_t count = 0;
  for (std::size_t s = 0; s < root.size(); ++s) {
    const auto r = static_cast<std::size_t>(find(static_cast<std::int64_t>(s)));
    if (person[r] < 0) person[r] = count++;
    person[s] = person[r];
  }
  *people = count;
  return person;
}

SubjectTable subject_table(const ScoreArchive& scores, const std::vector<std::int32_t>& person, std::int64_t people,
                           const std::vector<std::int64_t>* rows) {
  LIKENESS_ASSERT(person.size() == scores.subject_ids.size());
  std::vector<std::int64_t> order(rows ? rows->size() : scores.size());
  if (rows)
    order = *rows;
  else
    std::iota(order.begin(), order.end(), 0);

  SubjectTable t;
  t.subjects = people;
  std::vector<double> values(order.size());
  std::vector<std::uint8_t> genuine(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    values[k] = scores.scores[static_cast<std::size_t>(order[k])];
    genuine[k] = scores.genuine[static_cast<std::size_t>(order[k])];
  }
  t.curve = make_curve(values, genuine);

  auto score = [&](std::int64_t row) {
    const double s = scores.scores[static_cast<std::size_t>(row)];
    return std::isnan(s) ? -2.0 : s;  // below every cosine
  };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t x, std::int64_t y) { return score(x) > score(y); });
  for (std::int64_t row : order) {
    const auto p = static_cast<std::size_t>(row);
    const std::int32_t a = person[static_cast<std::size_t>(scores.subject_a[p])],
                       b = person[static_cast<std::size_t>(scores.subject_b[p])];
    if (scores.genuine[p]) {
      t.genuine_of.push_back(a);
      continue;
    }
    t.impostor_a.push_back(a);
    t.impostor_b.push_back(a == b ? static_cast<std::int32_t>(people) : b);
    t.impostor_row.push_back(row);
  }
  number_pairs(t);
  t.genuine_subjects = distinct(t.genuine_of, {}, people);
  t.impostor_subjects = distinct(t.impostor_a, t.impostor_b, people);
  return t;
}

double noise_share(const SubjectTable& t, std::span<const double> residual) {
  LIKENESS_ASSERT(residual.size() == t.impostor_a.size());
  if (residual.empty()) return 1;
  const double mean = std::accumulate(residual.begin(), residual.end(), 0.0) / static_cast<double>(residual.size());
  std::vector<double> of_person(static_cast<std::size_t>(t.subjects) + 1, 0.0),
      of_pair(static_cast<std::size_t>(t.pairs), 0.0);
  for (std::size_t i = 0; i < residual.size(); ++i) {
    const double e = residual[i] - mean;
    of_person[static_cast<std::size_t>(t.impostor_a[i])] += e;
    of_person[static_cast<std::size_t>(t.impostor_b[i])] += e;
    of_pair[static_cast<std::size_t>(t.impostor_pair[i])] += e;
  }
  of_person.pop_back();
  auto squares = [](const std::vector<double>& x) { return std::inner_product(x.begin(), x.end(), x.begin(), 0.0); };
  const double people = squares(of_person), own = squares(of_pair);
  if (!(people + own > 0)) return 1;
  return std::sqrt(std::clamp((people - own) / (people + own), 1.0 / 3, 1.0));
}

}  // namespace likeness::eval
