// One evaluation as a value, and its one JSON form (docs/formats/results.md): every report is made from that JSON alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/metrics/curve.h"
#include "eval/metrics/rates.h"

namespace likeness::eval {

// A metric with everything needed to judge it. Absent parts are null in JSON.
struct Measure {
  std::optional<double> value;  // absent when suppressed
  std::optional<double> low, high;
  std::optional<std::int64_t> numerator, denominator;
  std::optional<double> threshold;  // similarity; a pair is accepted iff s >= threshold
  Verdict status;
  struct {
    std::string method = "none";  // "wilson", "subject-bootstrap", "none", "bounds" (what the histogram leaves open)
    std::optional<double> level;  // 0.95
    std::string unit;             // what was assumed independent: "pair", "picture", "subject"
    std::optional<std::int64_t> replicates, seed;
  } interval;

  // k of n with Wilson's interval; a suppressed rate keeps its counts but shows no value.
  static Measure rate(std::int64_t k, std::int64_t n, const std::string& unit, const Verdict& status);
  // A figure without an interval.
  static Measure plain(double value);
};

using Where = std::map<std::string, std::string>;  // {"gender": "female"}

// Rates of a group, or of one group against another.
struct GroupResult {
  Where where;
  std::optional<Where> reference;  // absent: same-group comparisons
  std::int64_t subjects = 0, pictures = 0;
  std::map<std::string, Measure> metrics;
};

// Real points of an error trade-off curve, thinned for plotting; counts, so that every rate can be recomputed.
struct PlotCurve {
  Where where;  // empty: all pairs
  std::int64_t genuine = 0, impostors = 0;
  std::vector<double> threshold;
  std::vector<std::int64_t> false_matches, false_non_matches;
};

// Scores in equal bins over [low, high].
struct PlotHistogram {
  Where where;
  double low = -1, high = 1;
  std::vector<std::int64_t> genuine, impostors;
};

struct FoldResult {
  std::int64_t pairs = 0, correct = 0;
  double accuracy = 0, threshold = 0;  // threshold as a similarity
};

struct Result {
  std::string kind;        // "verification", "bias" or "identification"
  std::string protocol;    // "lfw pairs", "all pairs", "csv pairs", "stored pairs"
  std::string convention;  // "insightface" or "fixed-fmr"
  nlohmann::json model = nlohmann::json::object();
  nlohmann::json data = nlohmann::json::object();
  nlohmann::json conditions = nlohmann::json::object();
  std::map<std::string, Measure> metrics;
  std::vector<GroupResult> groups;
  nlohmann::json differentials;  // null, or the object of bias/differentials.h
  nlohmann::json identification;  // null, or {galleries, cmc} of identify.h (docs/formats/results.md)
  std::vector<FoldResult> folds;
  std::vector<PlotCurve> curves;
  std::vector<PlotHistogram> histograms;

  nlohmann::json to_json() const;
  // kData naming `where` and the key when the JSON is not a result this program reads.
  static Result from_json(const nlohmann::json& json, const std::string& where);
  static Result load(const std::filesystem::path& path);
  // For a person: each rate with count, interval, threshold and status.
  std::string to_text() const;
};

// "likeness.result/1": readers accept this version; a later one is refused by name.
inline constexpr const char* kResultSchema = "likeness.result/1";

// A curve's decision points: at most a few hundred of its real points.
PlotCurve plot_curve(const Curve& curve, const Where& where);

// "1e-3", "0.15": the shortest text that reads back equal, as used in metric names ("tar@fmr=1e-3").
std::string number_name(double x);
// "gender=female, race=asian"; "all" when empty.
std::string where_text(const Where& where);

}  // namespace likeness::eval
