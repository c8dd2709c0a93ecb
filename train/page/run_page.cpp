#include "train/page/run_page.h"

#include <fmt/format.h>

#include <cmath>
#include <kainjow/mustache.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/version.h"
#include "train/page/embedded.h"
#include "train/page/line_chart.h"

namespace likeness::train {
namespace {

using kainjow::mustache::data;
using nlohmann::json;

LogRow row_of(const json& j) {
  return {.step = j.at("step"),
          .epoch = j.at("epoch"),
          .loss = j.at("loss").is_number() ? j.at("loss").get<double>() : NAN,
          .rate = j.at("rate"),
          .gradient_norm = j.at("gradient_norm").is_number() ? j.at("gradient_norm").get<double>() : NAN,
          .pictures_per_second = j.at("pictures_per_second"),
          .seconds = j.at("seconds")};
}

ValidationRow validation_of(const json& j) {
  return {.step = j.at("step"), .set = j.at("set"), .metrics = j.at("metrics")};
}

data fact(const std::string& key, const std::string& value) {
  data d;
  d.set("key", key);
  d.set("value", value);
  return d;
}

data facts(const RunRecord& record) {
  data list(data::type::list);
  const json provenance = json::parse(record.provenance, nullptr, false);
  if (provenance.is_object() && provenance.contains("starts") && !provenance["starts"].empty()) {
    const json& last = provenance["starts"].back();
    for (const char* key : {"data", "pictures", "identities", "precision", "device", "threads", "revision", "cpu"})
      if (last.contains(key))
        list << fact(key, last[key].is_string() ? last[key].get<std::string>() : last[key].dump());
    list << fact("starts", std::to_string(provenance["starts"].size()));
  }
  return list;
}

data card(const std::string& label, const std::string& value, const std::string& detail) {
  data d;
  d.set("label", label);
  d.set("value", value);
  d.set("detail", detail);
  return d;
}

data cards(const RunRecord& record) {
  data list(data::type::list);
  if (!record.rows.empty()) {
    const LogRow& last = record.rows.back();
    list << card("loss", fmt::format("{:.3f}", last.loss),
                 fmt::format("at step {}", format_count(static_cast<std::uint64_t>(last.step))));
    list << card("training time", format_duration(last.seconds), fmt::format("{:.2f} epochs", last.epoch));
    list << card("speed", fmt::format("{:.1f} pictures/s", last.pictures_per_second), "at the end");
  }
  return list;
}

data chart(const std::string& title, const std::string& caption, bool logarithmic,
           const std::vector<ChartSeries>& series) {
  data d;
  d.set("svg", line_chart({.title = title, .logarithmic = logarithmic}, series));
  d.set("caption", caption);
  return d;
}

ChartSeries of_rows(const RunRecord& record, const std::string& name, double LogRow::*value) {
  ChartSeries s{name, {}};
  for (const LogRow& row : record.rows) s.points.emplace_back(static_cast<double>(row.step), row.*value);
  return s;
}

data training_charts(const RunRecord& record) {
  data list(data::type::list);
  if (record.rows.empty()) return list;
  list << chart("loss by step", "Loss: mean cross-entropy since the line before, by step", false,
                {of_rows(record, "loss", &LogRow::loss)});
  list << chart("learning rate by step", "Learning rate", false, {of_rows(record, "rate", &LogRow::rate)});
  list << chart("gradient norm by step", "Gradient norm of the backbone before clipping (logarithmic)", true,
                {of_rows(record, "gradient norm", &LogRow::gradient_norm)});
  list << chart("pictures per second by step", "Pictures per second", false,
                {of_rows(record, "pictures per second", &LogRow::pictures_per_second)});
  return list;
}

// Metric -> set -> points.
std::map<std::string, std::map<std::string, ChartSeries>> by_metric(const RunRecord& record) {
  std::map<std::string, std::map<std::string, ChartSeries>> out;
  for (const ValidationRow& v : record.validations)
    for (const auto& [metric, value] : v.metrics) {
      ChartSeries& s = out[metric][v.set];
      s.name = v.set;
      s.points.emplace_back(static_cast<double>(v.step), value);
    }
  return out;
}

data validation_charts(const RunRecord& record) {
  data list(data::type::list);
  for (const auto& [metric, sets] : by_metric(record)) {
    std::vector<ChartSeries> series;
    for (const auto& [set, s] : sets) series.push_back(s);
    list << chart(metric + " by step", metric + ", by step", false, series);
  }
  return list;
}

data validation_rows(const RunRecord& record) {
  data list(data::type::list);
  for (const auto& [metric, sets] : by_metric(record))
    for (const auto& [set, s] : sets) {
      data row;
      row.set("set", set);
      row.set("metric", metric);
      row.set("value", fmt::format("{:.4f}", s.points.back().second));
      row.set("step", format_count(static_cast<std::uint64_t>(s.points.back().first)));
      list << row;
    }
  return list;
}

}  // namespace

RunRecord read_run_record(const std::filesystem::path& run) {
  RunRecord record{.name = run.filename().empty() ? run.parent_path().filename().string() : run.filename().string(),
                   .config = read_text(run / "config.yaml"),
                   .provenance = read_text(run / "provenance.json"),
                   .rows = {},
                   .validations = {}};
  const std::filesystem::path file = run / "log.jsonl";
  const std::string log = std::filesystem::exists(file) ? read_text(file) : "";
  std::istringstream in(log);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (in.eof()) break;  // no end of line: cut short
    try {
      const json j = json::parse(line);
      if (j.at("kind") == "train")
        record.rows.push_back(row_of(j));
      else if (j.at("kind") == "validation")
        record.validations.push_back(validation_of(j));
    } catch (const json::exception& e) {
      fail_data({.what = "not a line of a run's log",
                 .where = file.string() + ":" + std::to_string(number),
                 .expected = "a JSON object as docs/formats/run.md says",
                 .got = e.what()});
    }
  }
  return record;
}

std::string run_page(const RunRecord& record) {
  data page;
  page.set("title", "Training run " + record.name);
  page.set("generator", "likeness " + version());
  page.set("facts", facts(record));
  page.set("cards", cards(record));
  page.set("charts", training_charts(record));
  page.set("has_validation", record.validations.empty() ? data::type::bool_false : data::type::bool_true);
  page.set("validation_charts", validation_charts(record));
  page.set("validation", validation_rows(record));
  page.set("config", record.config);
  page.set("provenance", record.provenance);
  kainjow::mustache::mustache page_template{std::string(kRunPageTemplate)};
  return page_template.render(page);
}

}  // namespace likeness::train
