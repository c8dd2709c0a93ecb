#include "eval/report/report.h"

#include <algorithm>
#include <kainjow/mustache.hpp>

#include "core/progress.h"
#include "core/version.h"
#include "eval/report/embedded.h"
#include "eval/text.h"

namespace likeness::eval {
namespace {

using kainjow::mustache::data;
using nlohmann::json;

// JSON inside a <script> element: no "<" can end it or open a comment.
std::string script_safe(const json& j) {
  std::string out;
  for (char c : j.dump()) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string text_of(const json& j) {
  if (j.is_string()) return j.get<std::string>();
  if (j.is_number_integer()) return format_count(j.get<std::uint64_t>());
  return j.dump();
}

data metric_row(const std::string& name, const Measure& m) {
  data row;
  row.set("name", name);
  row.set("value", value_text(name, m));
  row.set("count", count_text(m));
  row.set("interval", interval_text(name, m));
  row.set("threshold", threshold_text(m));
  row.set("status", to_string(m.status.support));
  // An absent key would be looked up in the enclosing section; an empty list is false.
  if (m.status.why.empty()) row.set("why", data(data::type::bool_false));
  else row.set("why", m.status.why);
  return row;
}

data facts(const Result& r) {
  data list(data::type::list);
  auto add = [&](const std::string& key, const json& from, const char* member) {
    if (!from.contains(member) || from.at(member).is_null() || from.at(member) == "" || from.at(member) == 0) return;
    data fact;
    fact.set("key", key);
    fact.set("value", text_of(from.at(member)));
    list << fact;
  };
  const json top = {{"kind", r.kind}, {"protocol", r.protocol}, {"convention", r.convention}};
  add("evaluation", top, "kind");
  add("model", r.model, "path");
  add("engine", r.model, "engine");
  add("geometry", r.model, "geometry");
  add("dimension", r.model, "dimension");
  add("data", r.data, "path");
  add("protocol", top, "protocol");
  add("convention", top, "convention");
  add("flip", r.conditions, "flip");
  add("pictures", r.data, "pictures");
  add("searches", r.data, "probes");
  add("distractors", r.data, "distractors");
  add("genuine pairs", r.data, "genuine");
  add("impostor pairs", r.data, "impostors");
  add("pictures without a face", r.data, "failed_pictures");
  return list;
}

// The few figures people look for first.
data cards(const Result& r) {
  data list(data::type::list);
  auto add = [&](const std::string& label, const std::string& name, const Measure& m) {
    data card;
    card.set("label", label);
    card.set("value", m.value ? value_text(name, m) : to_string(m.status.support));
    const std::string interval = interval_text(name, m);
    card.set("detail", m.value ? count_text(m) + (interval.empty() ? "" : (m.denominator ? ", " : "") + interval) : m.status.why);
    list << card;
  };
  for (const auto& [name, label] : {std::pair{"accuracy", "accuracy"}, {"eer", "equal error rate"}, {"auc", "area under ROC"}, {"tar@fmr=1e-3", "true accepts at FMR 1e-3"},
                                    {"rank1", "mate first in the list"}, {"fnir@fpir=1e-2", "misses at FPIR 1e-2"}, {"alarms_per_day@fpir=1e-2", "false alarms a day at FPIR 1e-2"}})
    if (const auto it = r.metrics.find(name); it != r.metrics.end()) add(label, name, it->second);
  auto unknown = [](const GroupResult& g) { return std::any_of(g.where.begin(), g.where.end(), [](const auto& w) { return w.second == "unknown"; }); };
  std::vector<const GroupResult*> largest;
  for (const GroupResult& g : r.groups)
    if (!g.reference && !unknown(g) && g.metrics.contains("fnmr") && g.metrics.at("fnmr").value) largest.push_back(&g);
  std::stable_sort(largest.begin(), largest.end(), [](const auto* a, const auto* b) { return a->subjects > b->subjects; });
  for (std::size_t i = 0; i < largest.size() && i < 4; ++i) add("FNMR, " + where_text(largest[i]->where), "fnmr", largest[i]->metrics.at("fnmr"));
  return list;
}

data group_rows(const Result& r, bool across) {
  data list(data::type::list);
  for (const GroupResult& g : r.groups) {
    if (g.reference.has_value() != across) continue;
    for (const auto& [name, m] : g.metrics) {
      data row = metric_row(name, m);
      row.set("where", where_text(g.where));
      row.set("reference", g.reference ? where_text(*g.reference) : std::string());
      row.set("subjects", format_count(static_cast<std::uint64_t>(g.subjects)));
      row.set("metric", name);
      list << row;
    }
  }
  return list;
}

std::string optional_text(const json& d, const char* key) {
  return !d.contains(key) ? "" : d.at(key).is_null() ? "undefined" : plain_text(d.at(key).get<double>());
}

void add_differentials(data& section, const json& d) {
  data halves(data::type::list), mixtures(data::type::list);
  for (const char* rate : {"fmr", "fnmr"}) {
    if (!d.is_object() || !d.contains(rate)) continue;
    const json& half = d.at(rate);
    const bool worst = half.contains("worst");
    data row;
    row.set("rate", rate);
    row.set("worst", worst ? where_text(half.at("worst").at("where").get<Where>()) : std::string("-"));
    row.set("value", worst ? rate_text(half.at("worst").at("value").get<double>()) : std::string("-"));
    row.set("max_min", optional_text(half, "max_over_min"));
    row.set("max_geomean", optional_text(half, "max_over_geomean"));
    row.set("gap", half.contains("gap") ? rate_text(half.at("gap").get<double>()) : std::string());
    row.set("gini", optional_text(half, "gini"));
    row.set("groups", text_of(half.value("groups", json(0))));
    std::string note = half.value("why", half.value("provisional", false) ? "with provisional groups" : "");
    if (const int left = half.value("groups_left_out", 0)) note += (note.empty() ? "" : "; ") + std::to_string(left) + " left out";
    row.set("note", note);
    halves << row;
  }
  const json fdr = d.is_object() ? d.value("fdr", json::object()) : json::object();
  for (const auto& [alpha, value] : fdr.items()) {
    data row;
    row.set("alpha", alpha);
    row.set("fdr", plain_text(value.get<double>()));
    row.set("garbe", optional_text(d.value("garbe", json::object()), alpha.c_str()));
    row.set("ir", optional_text(d.value("inequity_rate", json::object()), alpha.c_str()));
    mixtures << row;
  }
  section.set("has_mixtures", fdr.empty() ? data::type::bool_false : data::type::bool_true);
  section.set("halves", halves);
  section.set("mixtures", mixtures);
}

data result_section(const NamedResult& named, std::size_t index) {
  const Result& r = named.result;
  data s;
  s.set("name", named.name);
  s.set("index", std::to_string(index));
  s.set("facts", facts(r));
  data headline, metrics(data::type::list), folds(data::type::list);
  headline.set("cards", cards(r));
  s.set("headline", headline);
  for (const auto& [name, m] : r.metrics) metrics << metric_row(name, m);
  s.set("metrics", metrics);
  const bool search = r.kind == "identification", rows = !r.groups.empty();
  s.set("search", search ? data::type::bool_true : data::type::bool_false);
  s.set("has_rows", rows ? data::type::bool_true : data::type::bool_false);
  s.set("gallery_note", "Each gallery, and each number of entries at which it was looked at, was searched: nothing is extrapolated.");
  s.set("has_groups", rows && !search ? data::type::bool_true : data::type::bool_false);
  const json threshold = r.conditions.value("threshold", json());
  if (threshold.is_number()) s.set("threshold", plain_text(threshold.get<double>()));
  else s.set("threshold", data(data::type::bool_false));
  const std::string from = r.conditions.value("threshold_from", "");
  s.set("threshold_from", from.empty() ? "" : "Threshold from: " + from + ". People of unknown group enter no ratio.");
  const data across = group_rows(r, true);
  s.set("groups", group_rows(r, false));
  s.set("across", across);
  s.set("has_across", across.list_value().empty() ? data::type::bool_false : data::type::bool_true);
  s.set("across_count", format_count(across.list_value().size()));
  add_differentials(s, r.differentials);
  for (std::size_t f = 0; f < r.folds.size(); ++f) {
    data row;
    row.set("fold", std::to_string(f + 1));
    row.set("count", format_count(static_cast<std::uint64_t>(r.folds[f].correct)) + "/" + format_count(static_cast<std::uint64_t>(r.folds[f].pairs)));
    row.set("accuracy", rate_text(r.folds[f].accuracy));
    row.set("threshold", plain_text(r.folds[f].threshold));
    folds << row;
  }
  s.set("has_folds", r.folds.empty() ? data::type::bool_false : data::type::bool_true);
  s.set("folds", folds);
  s.set("conditions", json{{"model", r.model}, {"data", r.data}, {"conditions", r.conditions}}.dump(2));
  return s;
}

}  // namespace

std::string html_report(const std::vector<NamedResult>& results) {
  json points = json::array();
  data sections(data::type::list);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const json j = results[i].result.to_json();
    points.push_back({{"kind", j["kind"]}, {"identification", j.value("identification", json())}, {"curves", j["curves"]}, {"histograms", j["histograms"]}, {"groups", j["groups"]}, {"conditions", j["conditions"]}});
    sections << result_section(results[i], i);
  }
  data page;
  page.set("title", "Face recognition evaluation");
  page.set("generator", "likeness " + version());
  page.set("css", std::string(kPageStyle));
  page.set("chart_js", std::string(kChartLibrary));
  page.set("script", std::string(kPageScript));
  page.set("data", script_safe(points));
  page.set("results", sections);
  kainjow::mustache::mustache page_template{std::string(kPageTemplate)};
  return page_template.render(page);
}

}  // namespace likeness::eval
