#include "eval/verify.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/progress.h"
#include "core/thread_pool.h"
#include "eval/intervals.h"
#include "eval/metrics/insightface.h"

namespace likeness::eval {
namespace {

constexpr double kValFar = 1e-3;  // the reference's, hard-coded there

// Pairs in the order of their folds, and where each fold ends. Without a fold column: as listed, in contiguous slices.
struct Folded {
  std::vector<std::int64_t> first, second, ends;
  std::vector<std::uint8_t> genuine;
};
Folded in_folds(const Trials& trials) {
  std::vector<std::size_t> order(trials.pairs.size());
  for (std::size_t p = 0; p < order.size(); ++p) order[p] = p;
  if (!trials.fold.empty())
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return trials.fold[x] < trials.fold[y]; });
  Folded f;
  for (std::size_t p : order) {
    f.first.push_back(trials.pairs[p].a), f.second.push_back(trials.pairs[p].b);
    f.genuine.push_back(trials.pairs[p].genuine);
  }
  if (trials.fold.empty()) {
    f.ends = contiguous_folds(static_cast<std::int64_t>(order.size()), trials.folds);
  } else {
    for (std::size_t p = 1; p <= order.size(); ++p)
      if (p == order.size() || trials.fold[order[p]] != trials.fold[order[p - 1]]) f.ends.push_back(static_cast<std::int64_t>(p));
  }
  return f;
}

void add_insightface(Result& result, const EmbeddingArchive& archive, const Trials& trials, const VerifyOptions& options) {
  if (trials.all)
    fail_usage({"all pairs of a set have no folds", trials.source, "--pairs FILE with --convention insightface", "--trials all",
                "--convention fixed-fmr reads --trials all"});
  const Folded f = in_folds(trials);
  const auto distances = squared_distances(archive.embeddings, archive.dimension, f.first, f.second, options.threads);
  const InsightfaceResult r = insightface_folds(distances, f.genuine, f.ends, kValFar, trials.source);

  std::int64_t correct = 0;
  double mean_threshold = 0;
  for (const InsightfaceFold& fold : r.folds) {
    const double similarity = 1 - fold.best_index * 0.01 / 2;  // d = 2 (1 - cos)
    correct += fold.correct;
    mean_threshold += similarity / static_cast<double>(r.folds.size());
    result.folds.push_back({fold.end - fold.begin, fold.correct, fold.accuracy, similarity});
  }
  const auto pairs = static_cast<std::int64_t>(trials.pairs.size());
  Measure accuracy = Measure::rate(correct, pairs, "pair", support_of_counts(pairs - correct, pairs, "pairs"));
  if (accuracy.value) accuracy.value = r.accuracy_mean;  // of the folds; differs from correct / pairs where folds are uneven
  accuracy.threshold = mean_threshold;
  result.metrics["accuracy"] = accuracy;

  std::int64_t impostors = 0;
  for (std::uint8_t g : f.genuine) impostors += g == 0;
  const std::int64_t trained_on = impostors - impostors / static_cast<std::int64_t>(r.folds.size());
  Measure val = Measure::plain(r.val_mean);
  val.status = support_of_target(trained_on, kValFar, "impostor pairs of the other folds");
  val.interval.unit = "pair";
  if (val.status.support == Support::kSuppressed) val.value.reset();
  result.metrics["val@far=1e-3"] = val;
  result.conditions["insightface"] = {{"accuracy_std", r.accuracy_std}, {"val_std", r.val_std}, {"far_mean", r.far_mean},
                                      {"std", "population, over folds"}, {"grid", "squared distance, i * 0.01, d < t, first best"}};
}

void add_operating_point(Result& result, const Curve& curve, const OperatingTarget& target) {
  const OperatingPoint p = operate(curve, target);
  const bool by_fmr = target.kind == OperatingTarget::Kind::kFmr;
  const std::int64_t missed = p.genuine_total - p.genuine_accepted;
  Verdict status = support_of_counts(missed, p.genuine_total, "genuine pairs");
  if (by_fmr) status = weaker(status, support_of_target(p.impostor_total, target.value, "impostor pairs"));
  const std::string at = by_fmr ? target.name() : "threshold";
  auto put = [&](const std::string& name, std::int64_t k, std::int64_t n, const Verdict& verdict) {
    Measure m = Measure::rate(k, n, "pair", verdict);
    if (verdict.support != Support::kSuppressed) m.threshold = p.threshold;  // of no use where the target is out of reach
    result.metrics[name + "@" + at] = m;
  };
  put("tar", p.genuine_accepted, p.genuine_total, status);
  put("fnmr", missed, p.genuine_total, status);
  if (!by_fmr)
    put("fmr", p.impostors_accepted, p.impostor_total, support_of_counts(p.impostors_accepted, p.impostor_total, "impostor pairs"));
}

void add_curve_metrics(Result& result, const Tally& counts, const VerifyOptions& options) {
  const Curve curve = counts.pooled();
  const Auc area = auc(curve, counts.complete());
  Measure a = Measure::plain(area.value);
  if (area.low < area.high) a.low = area.low, a.high = area.high, a.interval.method = "bounds";
  result.metrics["auc"] = a;

  const Eer eer = equal_error_rate(curve);
  Measure e = Measure::plain(eer.value);
  if (e.value) {
    e.threshold = eer.at.threshold;
    e.status = weaker(support_of_counts(eer.at.impostors_accepted, eer.at.impostor_total, "impostor pairs"),
                      support_of_counts(eer.at.genuine_total - eer.at.genuine_accepted, eer.at.genuine_total, "genuine pairs"));
    result.conditions["eer"] = {{"false_matches", eer.at.impostors_accepted},
                                {"impostors", eer.at.impostor_total},
                                {"false_non_matches", eer.at.genuine_total - eer.at.genuine_accepted},
                                {"genuine", eer.at.genuine_total}};
  }
  result.metrics["eer"] = e;
  result.metrics["d_prime"] = Measure::plain(d_prime(counts.moments(true), counts.moments(false)));
  for (const OperatingTarget& target : options.at) add_operating_point(result, curve, target);
  result.data["genuine"] = curve.genuine_total;
  result.data["impostors"] = curve.impostor_total;
  if (!options.plots) return;
  result.curves.push_back(plot_curve(curve, {}));
  result.histograms.push_back({{}, -1, 1, counts.histogram(true, 128), counts.histogram(false, 128)});
}

}  // namespace

std::string to_string(Convention convention) { return convention == Convention::kInsightface ? "insightface" : "fixed-fmr"; }

Convention parse_convention(const std::string& text) {
  for (Convention c : {Convention::kInsightface, Convention::kFixedFmr})
    if (text == to_string(c)) return c;
  fail_usage({"unknown convention", "--convention", "insightface or fixed-fmr", text, ""});
}

std::string OperatingTarget::name(const std::string& rate) const {
  return (kind == Kind::kFmr ? rate + "=" : "threshold=") + number_name(value);
}

OperatingTarget parse_target(const std::string& text, const std::string& rate) {
  const auto equals = text.find('=');
  const std::string kind = text.substr(0, equals), number = equals == std::string::npos ? "" : text.substr(equals + 1);
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  const bool is_number = !number.empty() && *end == '\0';
  if (kind == rate && is_number && value > 0 && value < 1) return {OperatingTarget::Kind::kFmr, value};
  if (kind == "threshold" && is_number && value >= -1 && value <= 1) return {OperatingTarget::Kind::kThreshold, value};
  fail_usage({"an operating point cannot be read", "--at", rate + "=RATE with 0 < RATE < 1, or threshold=T with -1 <= T <= 1", text, "--at " + rate + "=1e-3"});
}

OperatingPoint operate(const Curve& curve, const OperatingTarget& target) {
  return target.kind == OperatingTarget::Kind::kFmr ? at_fmr(curve, target.value) : at_threshold(curve, target.value);
}

Tally tally(const EmbeddingArchive& archive, const Trials& trials, const Grouping& grouping, const std::vector<OperatingTarget>& at,
            int threads, const std::string& where) {
  const Cosines cosines(archive, where);
  Decisions decisions;
  for (const OperatingTarget& t : at)
    (t.kind == OperatingTarget::Kind::kFmr ? decisions.fmr_targets : decisions.thresholds).push_back(t.value);
  if (!trials.all) return tally_list(cosines, trials.pairs, grouping, decisions, threads);
  return tally_all_pairs(cosines, archive.subjects, grouping, decisions, threads);
}

void describe(Result& result, const EmbeddingArchive& archive, const Trials& trials) {
  result.protocol = trials.protocol;
  const ModelContract& c = archive.contract;
  result.model = {{"weights_hash", c.weights_hash}, {"dimension", archive.dimension}, {"precision", c.precision},
                  {"preprocess", c.preprocess.to_string()}, {"geometry", c.geometry.describe()}};
  const auto failed = std::count_if(archive.failed.begin(), archive.failed.end(), [](std::uint8_t f) { return f != 0; });
  result.data = {{"pictures", archive.size()}, {"digest", archive.data_digest}, {"trials", trials.source}, {"trial_digest", trials.digest},
                 {"failed_pictures", failed}};
  result.conditions = {{"flip", c.flip}, {"score", "cosine, accepted iff >= threshold"}, {"interval", "95 %, Wilson over pairs; pairs share subjects"}};
}

Result verify(const EmbeddingArchive& archive, const Trials& trials, const VerifyOptions& options) {
  Result result;
  result.kind = "verification";
  result.convention = to_string(options.convention);
  describe(result, archive, trials);
  const Tally counts = tally(archive, trials, {}, options.at, options.threads, trials.source);
  if (options.convention == Convention::kInsightface) add_insightface(result, archive, trials, options);
  add_curve_metrics(result, counts, options);
  // The key only has to tell subjects apart here: the scores are not stored.
  if (options.bootstrap > 0)
    add_intervals(result, score_archive(archive, trials, "in memory", options.threads), options.at, {options.bootstrap, options.seed, options.threads});
  return result;
}

ScoreArchive score_archive(const EmbeddingArchive& archive, const Trials& trials, const std::string& key, int threads) {
  constexpr std::int64_t kMost = 50'000'000;
  const Cosines cosines(archive, trials.source);
  std::vector<ListedPair> pairs = trials.pairs;
  if (trials.all) {
    const std::int64_t n = cosines.size(), count = n * (n - 1) / 2;
    if (count > kMost)
      fail_usage({"too many pairs for a score archive", "--scores", "at most " + format_count(kMost), format_count(static_cast<std::uint64_t>(count)),
                  "--out keeps the counts of all pairs; list the pairs that need scores: --pairs FILE"});
    pairs.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i + 1; j < n; ++j)
        pairs.push_back({i, j, archive.subjects[static_cast<std::size_t>(i)] == archive.subjects[static_cast<std::size_t>(j)]});
  }
  ScoreArchive out;
  out.protocol = trials.protocol;
  out.trial_digest = trials.digest;
  out.contract_json = archive.contract.to_json();
  out.fold = trials.fold;
  for (const AttributeColumn& c : archive.attributes.columns) out.subject_attributes.columns.push_back({c.name, c.categories, {}});

  std::map<std::int64_t, std::int64_t> rows;  // subject (or -2 - picture) -> row of the subject table
  auto subject_row = [&](std::int64_t picture) {
    const auto p = static_cast<std::size_t>(picture);
    const std::int64_t subject = archive.subjects[p] >= 0 ? archive.subjects[p] : -2 - picture;
    const auto [it, fresh] = rows.emplace(subject, static_cast<std::int64_t>(out.subject_ids.size()));
    if (fresh) {
      out.subject_ids.push_back(hash_subject(subject >= 0 ? archive.subject_names[static_cast<std::size_t>(subject)] : archive.keys[p], key));
      for (std::size_t c = 0; c < out.subject_attributes.columns.size(); ++c)
        out.subject_attributes.columns[c].codes.push_back(archive.attributes.columns[c].codes[p]);
    }
    return it->second;
  };
  out.scores.resize(pairs.size());
  parallel_for(pairs.size(), 4096, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) out.scores[p] = cosines.score(pairs[p].a, pairs[p].b);
  });
  for (const ListedPair& p : pairs) {
    out.genuine.push_back(p.genuine);
    out.subject_a.push_back(subject_row(p.a));
    out.subject_b.push_back(subject_row(p.b));
  }
  return out;
}

}  // namespace likeness::eval
