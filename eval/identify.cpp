#include "eval/identify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "core/error.h"

namespace likeness::eval {
namespace {

constexpr std::array<std::int64_t, 5> kRanks = {1, 5, 10, 20, 50};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The searches of one gallery, as long as it had one size.
struct Outcome {
  std::vector<std::uint8_t> mated;     // [P]
  std::span<const std::int64_t> rank;  // [P] 0: the mate cannot be found
  std::span<const double> best_other;
  std::span<const double> mate;
  std::int64_t entries = 0, people = 0;

  std::int64_t mated_total() const { return std::count(mated.begin(), mated.end(), std::uint8_t{1}); }
  std::int64_t hits(std::int64_t k) const {
    std::int64_t n = 0;
    for (std::size_t p = 0; p < mated.size(); ++p) n += mated[p] && rank[p] > 0 && rank[p] <= k;
    return n;
  }
  // Mated searches take the place of genuine pairs, non-mated that of impostors; a mate outside the list is never
  // accepted.
  Curve curve(std::int64_t list) const {
    std::vector<double> scores(mated.size());
    for (std::size_t p = 0; p < scores.size(); ++p)
      scores[p] = !mated[p] ? best_other[p] : rank[p] > 0 && rank[p] <= list ? mate[p] : kNan;
    return make_curve(scores, mated);
  }
};

using Metrics = std::map<std::string, Measure>;
constexpr const char* kAlarms = "alarms_per_day@";

// The rate k / n of `traffic` searches, as alarms.
Measure alarms(std::int64_t k, std::int64_t n, double traffic, const Verdict& status) {
  Measure m = Measure::rate(k, n, "probe", status);
  for (std::optional<double>* part : {&m.value, &m.low, &m.high})
    if (*part) *part = **part * traffic;
  return m;
}

Metrics metrics_of(const Outcome& o, const Curve& curve, const IdentifyOptions& options) {
  Metrics out;
  const std::int64_t mated = o.mated_total();
  for (std::int64_t k : kRanks) {
    if (k > 1 && k > o.entries) break;
    const std::int64_t hits = o.hits(k);
    out["rank" + std::to_string(k)] =
        Measure::rate(hits, mated, "probe", support_of_counts(mated - hits, mated, "mated searches"));
  }
  for (const OperatingTarget& target : options.at) {
    const OperatingPoint p = operate(curve, target);
    const bool by_rate = target.kind == OperatingTarget::Kind::kFmr;
    const std::string at = by_rate ? target.name("fpir") : "threshold";
    const std::int64_t missed = p.genuine_total - p.genuine_accepted;
    const Verdict positives = by_rate ? support_of_target(p.impostor_total, target.value, "non-mated searches")
                                      : support_of_counts(p.impostors_accepted, p.impostor_total, "non-mated searches");
    Verdict negatives = support_of_counts(missed, p.genuine_total, "mated searches");
    if (by_rate) negatives = weaker(negatives, positives);
    const auto put = [&](const std::string& name, Measure m) {
      if (m.status.support != Support::kSuppressed) m.threshold = p.threshold;
      out[name + at] = m;
    };
    put("tpir@", Measure::rate(p.genuine_accepted, p.genuine_total, "probe", negatives));
    put("fnir@", Measure::rate(missed, p.genuine_total, "probe", negatives));
    if (!by_rate) put("fpir@", Measure::rate(p.impostors_accepted, p.impostor_total, "probe", positives));
    put(kAlarms, alarms(p.impostors_accepted, p.impostor_total, static_cast<double>(options.traffic), positives));
  }
  return out;
}

// The mean over galleries of each metric they all have; counts are added up, and the interval is theirs.
Metrics mean_of(const std::vector<Metrics>& all, double traffic) {
  Metrics out;
  for (const auto& [name, first] : all.front()) {
    std::int64_t k = 0, n = 0;
    double sum = 0;
    bool everywhere = true;
    Verdict status;
    for (const Metrics& metrics : all) {
      const auto found = metrics.find(name);
      everywhere = everywhere && found != metrics.end();
      if (!everywhere) break;
      k += *found->second.numerator, n += *found->second.denominator;
      sum += found->second.value.value_or(kNan);
      status = weaker(status, found->second.status);
    }
    if (!everywhere) continue;
    Measure m = name.starts_with(kAlarms) ? alarms(k, n, traffic, status) : Measure::rate(k, n, "probe", status);
    if (m.value) m.value = sum / static_cast<double>(all.size());
    out[name] = m;
  }
  return out;
}

// All ranks up to 20, then 1-2-5 steps to the whole gallery.
nlohmann::json cmc(const Outcome& o, const Where& where) {
  std::vector<std::int64_t> ranks, hits;
  for (std::int64_t k = 1; k <= std::min<std::int64_t>(20, o.entries); ++k) ranks.push_back(k);
  for (std::int64_t step = 10; step < o.entries; step *= 10)
    for (std::int64_t k : {step, 2 * step, 5 * step})
      if (k > ranks.back() && k < o.entries) ranks.push_back(k);
  if (ranks.back() < o.entries) ranks.push_back(o.entries);
  for (std::int64_t k : ranks) hits.push_back(o.hits(k));
  return {{"where", where}, {"mated", o.mated_total()}, {"rank", ranks}, {"hits", hits}};
}

// From the enrolled alone to all distractors, in 1-2-5 steps.
std::vector<std::int64_t> sizes_between(std::int64_t enrolled, std::int64_t all) {
  std::vector<std::int64_t> sizes;
  if (all > enrolled) sizes.push_back(enrolled);
  for (std::int64_t step = 10; step < all; step *= 10)
    for (std::int64_t n : {step, 2 * step, 5 * step})
      if (n > enrolled && n < all) sizes.push_back(n);
  sizes.push_back(all);
  return sizes;
}

void describe_search(Result& r, const EmbeddingArchive& entries, const Enrolment& enrolment, std::int64_t foreign,
                     const IdentifyOptions& options) {
  Trials list;
  list.protocol = enrolment.protocol, list.source = enrolment.source, list.digest = enrolment.digest;
  describe(r, entries, list);
  r.kind = "identification";
  r.convention = "fixed-fpir";
  r.data["pictures"] = enrolment.templates.needed_rows().size();
  r.data["templates"] = entries.size();
  r.data["probes"] = enrolment.probes.size();
  r.data["distractors"] = static_cast<std::int64_t>(enrolment.distractors.size()) + foreign;
  r.conditions["interval"] = "95 %, Wilson over searches; searches share people";
  r.conditions["rank"] = options.rank;
  r.conditions["traffic"] = options.traffic;
  if (!enrolment.rule.is_null()) r.conditions["rule"] = enrolment.rule;
}

}  // namespace

Identification identify(const EmbeddingArchive& entries, const Enrolment& enrolment,
                        std::span<const MappedEmbeddings> distractors, const IdentifyOptions& options) {
  LIKENESS_ASSERT(options.rank >= 1 && options.traffic >= 0 && entries.size() == enrolment.templates.names.size());
  const Cosines faces(entries, enrolment.source);
  std::vector<Cosines> foreign;
  std::int64_t foreign_total = 0;
  for (const MappedEmbeddings& d : distractors) {
    if (const std::string difference = entries.contract.difference(d.contract()); !difference.empty())
      fail_data({"embeddings of two contracts cannot be compared", d.path().string(),
                 "embedded as " + enrolment.source + " was", difference, "embed both with the same model and options"});
    foreign.emplace_back(
        d.embeddings(), d.dimension(), d.failed(), d.path().string(), [&](std::size_t row) { return d.keys()[row]; },
        options.threads);
    foreign_total += d.size();
  }
  const auto people_of = [&](const std::vector<std::int64_t>& list) {
    std::vector<std::int64_t> people;
    for (std::int64_t e : list) people.push_back(entries.subjects[static_cast<std::size_t>(e)]);
    return people;
  };
  const std::vector<std::int64_t> probe_people = people_of(enrolment.probes);

  Identification out;
  Result& r = out.result;
  describe_search(r, entries, enrolment, foreign_total, options);
  nlohmann::json galleries = nlohmann::json::array(), curves = nlohmann::json::array();
  std::vector<Metrics> whole;
  for (const Enrolment::Gallery& gallery : enrolment.galleries) {
    std::vector<GalleryPart> parts = {{&faces, gallery.entries, people_of(gallery.entries)}};
    if (!enrolment.distractors.empty()) parts.push_back({&faces, enrolment.distractors, {}});
    for (const Cosines& c : foreign)
      if (c.size() > 0) parts.push_back({&c, {}, {}});
    std::int64_t total = 0;
    for (const GalleryPart& part : parts) total += part.size();
    const std::set<std::int64_t> enrolled(parts[0].people.begin(), parts[0].people.end());
    SearchOptions how;
    how.sizes = sizes_between(parts[0].size(), total);
    how.candidates = options.candidates;
    how.threads = options.threads;
    how.progress = options.progress;
    SearchResult found = search(faces, enrolment.probes, probe_people, parts, how);

    Outcome o;
    for (std::int64_t person : probe_people) o.mated.push_back(enrolled.contains(person));
    o.people = static_cast<std::int64_t>(enrolled.size());
    o.mate = found.mate;
    const std::size_t n = probe_people.size();
    for (std::size_t s = 0; s < found.sizes.size(); ++s) {
      o.entries = found.sizes[s];
      o.rank = std::span<const std::int64_t>(found.rank).subspan(s * n, n);
      o.best_other = std::span<const double>(found.best_other).subspan(s * n, n);
      const Curve curve = o.curve(options.rank);
      const Metrics metrics = metrics_of(o, curve, options);
      const bool last = s + 1 == found.sizes.size();
      Where where;
      if (enrolment.galleries.size() > 1) where["gallery"] = gallery.name;
      if (options.plots && last) curves.push_back(cmc(o, where));
      if (found.sizes.size() > 1) where["entries"] = std::to_string(o.entries);
      if (!where.empty()) r.groups.push_back({where, std::nullopt, o.people, o.entries, metrics});
      if (options.plots) r.curves.push_back(plot_curve(curve, where));
      if (last) whole.push_back(metrics);
    }
    galleries.push_back({{"name", gallery.name},
                         {"entries", parts[0].size()},
                         {"people", o.people},
                         {"searched", total},
                         {"mated", o.mated_total()},
                         {"non_mated", static_cast<std::int64_t>(n) - o.mated_total()}});
    out.searches.push_back(std::move(found));
  }
  r.metrics = whole.size() == 1 ? whole.front() : mean_of(whole, static_cast<double>(options.traffic));
  r.identification = {{"galleries", galleries}, {"cmc", curves}};
  return out;
}

}  // namespace likeness::eval
