#include "eval/result.h"

#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/file.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

template <class T> json or_null(const std::optional<T>& x) { return x ? json(*x) : json(nullptr); }

// JSON has no NaN: an undefined number is null.
json number(const std::optional<double>& x) { return x && std::isfinite(*x) ? json(*x) : json(nullptr); }

json to_json(const Measure& m) {
  json j = {{"value", number(m.value)},
            {"low", number(m.low)},
            {"high", number(m.high)},
            {"numerator", or_null(m.numerator)},
            {"denominator", or_null(m.denominator)},
            {"status", to_string(m.status.support)},
            {"interval",
             {{"method", m.interval.method},
              {"level", or_null(m.interval.level)},
              {"unit", m.interval.unit},
              {"replicates", or_null(m.interval.replicates)},
              {"seed", or_null(m.interval.seed)}}}};
  if (m.threshold) j["threshold"] = number(m.threshold);
  if (!m.status.why.empty()) j["why"] = m.status.why;
  return j;
}

json to_json(const std::map<std::string, Measure>& metrics) {
  json j = json::object();
  for (const auto& [name, m] : metrics) j[name] = to_json(m);
  return j;
}

}  // namespace

Measure Measure::rate(std::int64_t k, std::int64_t n, const std::string& unit, const Verdict& status) {
  Measure m;
  m.numerator = k, m.denominator = n;
  m.status = status;
  m.interval.method = "wilson", m.interval.level = 0.95, m.interval.unit = unit;
  if (status.support == Support::kSuppressed || n == 0) {
    if (n == 0 && status.support != Support::kSuppressed) m.status = {Support::kSuppressed, "nothing to count"};
    return m;
  }
  m.value = static_cast<double>(k) / static_cast<double>(n);
  const Limits limits = wilson(k, n);
  m.low = limits.low, m.high = limits.high;
  return m;
}

Measure Measure::plain(double value) {
  Measure m;
  if (std::isfinite(value)) m.value = value;
  else m.status = {Support::kSuppressed, "undefined: one class is missing or constant"};
  return m;
}

json Result::to_json() const {
  using likeness::eval::to_json;
  json j = {{"schema", kResultSchema}, {"kind", kind},   {"protocol", protocol},     {"convention", convention},
            {"model", model},          {"data", data},   {"conditions", conditions}, {"metrics", to_json(metrics)},
            {"groups", json::array()}, {"folds", json::array()}, {"curves", json::array()}, {"histograms", json::array()}};
  for (const GroupResult& g : groups)
    j["groups"].push_back({{"where", g.where},
                           {"reference", or_null(g.reference)},
                           {"subjects", g.subjects},
                           {"pictures", g.pictures},
                           {"metrics", to_json(g.metrics)}});
  if (!differentials.is_null()) j["differentials"] = differentials;
  if (!identification.is_null()) j["identification"] = identification;
  for (const FoldResult& f : folds)
    j["folds"].push_back({{"pairs", f.pairs}, {"correct", f.correct}, {"accuracy", f.accuracy}, {"threshold", f.threshold}});
  for (const PlotCurve& c : curves)
    j["curves"].push_back({{"where", c.where},
                           {"genuine", c.genuine},
                           {"impostors", c.impostors},
                           {"threshold", c.threshold},
                           {"false_matches", c.false_matches},
                           {"false_non_matches", c.false_non_matches}});
  for (const PlotHistogram& h : histograms)
    j["histograms"].push_back(
        {{"where", h.where}, {"low", h.low}, {"high", h.high}, {"genuine", h.genuine}, {"impostors", h.impostors}});
  return j;
}

namespace {

// Reads named members and remembers the way to them, for messages.
class Reader {
 public:
  Reader(const json& j, std::string where) : json_(j), where_(std::move(where)) {
    if (!j.is_object()) refuse("an object", j);
  }
  template <class T> T get(const char* key) const {
    const json& j = member(key);
    try {
      return j.get<T>();
    } catch (const json::exception&) {
      Reader(where_ + ", " + key).refuse("a value of another type", j);
    }
  }
  template <class T> std::optional<T> maybe(const char* key) const {
    if (!json_.contains(key) || json_.at(key).is_null()) return std::nullopt;
    return get<T>(key);
  }
  Reader at(const char* key) const { return {member(key), where_ + ", " + key}; }
  template <class F> void each(const char* key, const F& f) const {
    const json& list = member(key);
    if (!list.is_array()) Reader(where_ + ", " + key).refuse("a list", list);
    for (std::size_t i = 0; i < list.size(); ++i) f(Reader(list[i], where_ + ", " + key + "[" + std::to_string(i) + "]"));
  }
  const json& value() const { return json_; }
  const std::string& where() const { return where_; }

 private:
  explicit Reader(std::string where) : json_(empty()), where_(std::move(where)) {}
  static const json& empty() {
    static const json nothing;
    return nothing;
  }
  const json& member(const char* key) const {
    const auto it = json_.find(key);
    if (it == json_.end()) fail_data({"a result lacks a member", where_, "\"" + std::string(key) + "\"", "", ""});
    return *it;
  }
  [[noreturn]] void refuse(const std::string& expected, const json& got) const {
    fail_data({"a result cannot be read", where_, expected, got.dump().substr(0, 60), ""});
  }

  const json& json_;
  std::string where_;
};

Measure measure_from(const Reader& r) {
  Measure m;
  m.value = r.maybe<double>("value"), m.low = r.maybe<double>("low"), m.high = r.maybe<double>("high");
  m.numerator = r.maybe<std::int64_t>("numerator"), m.denominator = r.maybe<std::int64_t>("denominator");
  m.threshold = r.maybe<double>("threshold");
  m.status = {parse_support(r.get<std::string>("status"), r.where()), r.maybe<std::string>("why").value_or("")};
  const Reader i = r.at("interval");
  m.interval.method = i.get<std::string>("method");
  m.interval.level = i.maybe<double>("level");
  m.interval.unit = i.get<std::string>("unit");
  m.interval.replicates = i.maybe<std::int64_t>("replicates");
  m.interval.seed = i.maybe<std::int64_t>("seed");
  return m;
}

std::map<std::string, Measure> metrics_from(const Reader& r) {
  std::map<std::string, Measure> metrics;
  for (const auto& [name, value] : r.value().items()) metrics[name] = measure_from({value, r.where() + ", " + name});
  return metrics;
}

}  // namespace

Result Result::from_json(const json& j, const std::string& where) {
  const Reader r(j, where);
  const auto schema = r.get<std::string>("schema");
  if (schema != kResultSchema) fail_data({"a result of another version", where, kResultSchema, schema, "use the program that wrote it"});
  Result out;
  out.kind = r.get<std::string>("kind");
  out.protocol = r.get<std::string>("protocol");
  out.convention = r.get<std::string>("convention");
  out.model = r.at("model").value();
  out.data = r.at("data").value();
  out.conditions = r.at("conditions").value();
  out.metrics = metrics_from(r.at("metrics"));
  r.each("groups", [&](const Reader& g) {
    out.groups.push_back({g.get<Where>("where"), g.maybe<Where>("reference"), g.get<std::int64_t>("subjects"),
                          g.maybe<std::int64_t>("pictures").value_or(0), metrics_from(g.at("metrics"))});
  });
  if (j.contains("differentials")) out.differentials = j.at("differentials");
  if (j.contains("identification")) out.identification = j.at("identification");
  // What only plots need may be left out by other programs that write the schema.
  if (j.contains("folds"))
    r.each("folds", [&](const Reader& f) {
      out.folds.push_back({f.get<std::int64_t>("pairs"), f.get<std::int64_t>("correct"), f.get<double>("accuracy"), f.get<double>("threshold")});
    });
  using Counts = std::vector<std::int64_t>;
  if (j.contains("curves"))
    r.each("curves", [&](const Reader& c) {
      out.curves.push_back({c.get<Where>("where"), c.get<std::int64_t>("genuine"), c.get<std::int64_t>("impostors"),
                            c.get<std::vector<double>>("threshold"), c.get<Counts>("false_matches"), c.get<Counts>("false_non_matches")});
    });
  if (j.contains("histograms"))
    r.each("histograms", [&](const Reader& h) {
      out.histograms.push_back({h.get<Where>("where"), h.get<double>("low"), h.get<double>("high"), h.get<Counts>("genuine"), h.get<Counts>("impostors")});
    });
  return out;
}

Result Result::load(const std::filesystem::path& path) {
  const json j = json::parse(read_text(path), nullptr, false);
  if (j.is_discarded()) fail_data({"a result is not JSON", path.string(), "the file that eval verify or eval bias wrote with --out", "", ""});
  return from_json(j, path.string());
}

PlotCurve plot_curve(const Curve& curve, const Where& where) {
  PlotCurve p{where, curve.genuine_total, curve.impostor_total, {}, {}, {}};
  for (std::size_t i : plot_points(curve, 160)) {
    p.threshold.push_back(curve.threshold[i]);
    p.false_matches.push_back(curve.impostors[i]);
    p.false_non_matches.push_back(curve.genuine_total - curve.genuine[i]);
  }
  return p;
}

std::string number_name(double x) {
  char buffer[32];
  const auto plain = std::to_chars(buffer, buffer + sizeof buffer, x);
  std::string text(buffer, plain.ptr);
  // Powers of ten as people write them: 1e-3, not 0.001 or 1e-03.
  const double exponent = std::round(std::log10(x));
  if (x > 0 && exponent < 0) {
    const std::string power = "1e" + std::to_string(static_cast<int>(exponent));
    if (std::stod(power) == x) return power;
  }
  if (const auto e = text.find("e-0"); e != std::string::npos) text.erase(e + 2, 1);
  return text;
}

std::string where_text(const Where& where) {
  std::string text;
  for (const auto& [name, value] : where) text += (text.empty() ? "" : ", ") + name + "=" + value;
  return text.empty() ? "all" : text;
}

}  // namespace likeness::eval
