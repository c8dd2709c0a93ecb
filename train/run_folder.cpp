#include "train/run_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "train/page/run_page.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
constexpr const char* kCsvHeader = "step,epoch,loss,rate,gradient_norm,pictures_per_second,seconds\n";

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Keeps the lines whose step, as `step_of` reads it, is at most `step`.
template <typename StepOf>
void cut_log(const fs::path& file, std::int64_t step, StepOf step_of) {
  if (!fs::exists(file)) return;
  std::istringstream in(read_text(file));
  std::string kept, line;
  while (std::getline(in, line))
    if (step_of(line) <= step) kept += line + "\n";
  write_atomically(file, IfExists::kReplace, kept);
}

std::int64_t csv_step(const std::string& line) {
  return line.starts_with("step,") ? -1 : std::strtoll(line.c_str(), nullptr, 10);
}

std::int64_t json_step(const std::string& line) {
  const nlohmann::json j = nlohmann::json::parse(line, nullptr, false);
  return j.is_object() ? j.value("step", std::int64_t{0}) : INT64_MAX;  // a line cut short by a crash goes
}

bool is_run(const fs::path& path) { return fs::is_regular_file(path / "config.yaml") || fs::is_empty(path); }

// A process killed while it replaced best/ leaves the old one beside it under a hidden name.
void recover_best(const fs::path& run) {
  std::vector<fs::path> hidden;
  for (const auto& entry : fs::directory_iterator(run))
    if (entry.path().filename().string().starts_with(".best.")) hidden.push_back(entry.path());
  for (const fs::path& path : hidden) {
    const bool whole = path.filename().string().starts_with(".best.old-");
    if (whole && !fs::exists(run / "best"))
      fs::rename(path, run / "best");
    else
      fs::remove_all(path);
  }
}

nlohmann::json row_json(const LogRow& r) {
  nlohmann::json j = {{"step", r.step},
                      {"epoch", r.epoch},
                      {"loss", r.loss},
                      {"rate", r.rate},
                      {"gradient_norm", r.gradient_norm},
                      {"pictures_per_second", r.pictures_per_second},
                      {"seconds", r.seconds}};
  for (const auto& [name, value] : r.terms) j[name] = value;
  return j;
}

}  // namespace

void check_run_folder(const fs::path& path, RunStart start) {
  if (!fs::exists(path)) return;
  if (!fs::is_directory(path)) fail_usage({.what = "output is a file, a run needs a folder", .where = path.string()});
  if (start == RunStart::kNew && !fs::is_empty(path))
    fail_usage({.what = "output exists",
                .where = path.string(),
                .hint = "--resume goes on with it, --force replaces it, --out names another"});
  if (start == RunStart::kReplace && !is_run(path))
    fail_usage({.what = "folder is not a run and will not be replaced",
                .where = path.string(),
                .expected = "a folder with config.yaml",
                .hint = "--out names another"});
}

RunFolder::RunFolder(const fs::path& path, RunStart start, std::int64_t step, const std::string& config,
                     const Facts& facts)
    : path_(path) {
  check_run_folder(path_, start);
  if (start == RunStart::kReplace) fs::remove_all(path_);
  std::error_code error;
  fs::create_directories(path_ / "checkpoints", error);
  if (error) fail_environment({.what = "run folder cannot be made", .where = path_.string(), .got = error.message()});
  fs::remove(path_ / "DONE", error);
  recover_best(path_);

  const fs::path provenance_file = path_ / "provenance.json";
  nlohmann::ordered_json provenance = {{"format", "likeness.provenance/1"},
                                       {"starts", nlohmann::ordered_json::array()}};
  if (start == RunStart::kResume && fs::exists(provenance_file)) {
    const auto old = nlohmann::ordered_json::parse(read_text(provenance_file), nullptr, false);
    if (old.is_object() && old.contains("starts")) provenance = old;
  }
  nlohmann::ordered_json entry = {{"time", utc_now()}, {"step", step}};
  for (const auto& [key, value] : facts) entry[key] = value;
  provenance["starts"].push_back(entry);

  write_atomically(path_ / "config.yaml", IfExists::kReplace, config);
  write_atomically(provenance_file, IfExists::kReplace, provenance.dump(2) + "\n");
  cut_log(path_ / "log.csv", step, csv_step);
  cut_log(path_ / "log.jsonl", step, json_step);
  if (!fs::exists(path_ / "log.csv")) append("log.csv", kCsvHeader);
  events_ = std::make_unique<EventWriter>(path_, step);
}

RunFolder::~RunFolder() = default;

void RunFolder::append(const std::string& name, const std::string& line) {
  const fs::path file = path_ / name;
  std::ofstream out(file, std::ios::app | std::ios::binary);
  if (!(out << line) || !out.flush())
    fail_environment({.what = "log cannot be written", .where = file.string(), .got = std::strerror(errno)});
}

void RunFolder::log(const LogRow& r) {
  append("log.csv", fmt::format("{},{:.4f},{:.6g},{:.6g},{:.6g},{:.1f},{:.1f}\n", r.step, r.epoch, r.loss, r.rate,
                                r.gradient_norm, r.pictures_per_second, r.seconds));
  nlohmann::json line = row_json(r);
  line["kind"] = "train";
  append("log.jsonl", line.dump() + "\n");
  events_->scalar(r.step, "train/loss", r.loss);
  events_->scalar(r.step, "train/rate", r.rate);
  events_->scalar(r.step, "train/gradient_norm", r.gradient_norm);
  events_->scalar(r.step, "train/pictures_per_second", r.pictures_per_second);
  for (const auto& [name, value] : r.terms) events_->scalar(r.step, "train/" + name, value);
}

void RunFolder::log_validation(std::int64_t step, const std::string& set,
                               const std::map<std::string, double>& metrics) {
  nlohmann::json line = {{"kind", "validation"}, {"step", step}, {"set", set}, {"metrics", metrics}};
  append("log.jsonl", line.dump() + "\n");
  for (const auto& [name, value] : metrics) events_->scalar(step, set + "/" + name, value);
}

void RunFolder::log_outlier(const Outlier& o, const std::vector<std::string>& pictures) {
  // JSON has no infinity, which the score is where nothing has ever moved.
  const nlohmann::json z = std::isfinite(o.z) ? nlohmann::json(o.z) : nlohmann::json();
  const nlohmann::json line = {{"kind", "outlier"},   {"step", o.step}, {"metric", o.metric},
                               {"value", o.value},    {"z", z},         {"median", o.median},
                               {"pictures", pictures}};
  append("log.jsonl", line.dump() + "\n");
  events_->scalar(o.step, "outlier/" + o.metric, o.z);
}

void RunFolder::log_histogram(std::int64_t step, const std::string& tag, const Histogram& h) {
  events_->histogram(step, tag, h);
}

void RunFolder::log_picture(std::int64_t step, const std::string& tag, const data::Image& picture) {
  const std::vector<std::byte> png = data::encode_png(picture);
  events_->image(step, tag, picture.width, picture.height, {reinterpret_cast<const char*>(png.data()), png.size()});
}

void RunFolder::done(const LogRow& last) {
  const nlohmann::json summary = {{"step", last.step},
                                  {"epoch", last.epoch},
                                  {"loss", last.loss},
                                  {"seconds", last.seconds},
                                  {"finished", utc_now()}};
  write_atomically(path_ / "run.html", IfExists::kReplace, run_page(read_run_record(path_)));
  write_atomically(path_ / "DONE", IfExists::kReplace, summary.dump(2) + "\n");
}

}  // namespace likeness::train
