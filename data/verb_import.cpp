#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "core/log.h"
#include "core/progress.h"
#include "data/attribute_summary.h"
#include "data/import.h"
#include "data/verbs.h"

namespace likeness::data {
namespace {

struct Arguments {
  std::string source, out, on_bad = "fail";
  ImportOptions options;
};

nlohmann::json join_json(const std::optional<JoinReport>& join) {
  if (!join) return nullptr;
  return {{"by", join->by},
          {"rows", join->rows},
          {"rows_without_picture", join->rows_without_picture},
          {"pictures_without_row", join->pictures_without_row}};
}

std::string join_text(const char* what, const std::optional<JoinReport>& join) {
  if (!join) return "";
  std::string text = fmt::format("{:<12} {} rows matched by {}", what, format_count(join->rows), join->by);
  if (join->rows_without_picture > 0)
    text += fmt::format(", {} of them without a picture", format_count(join->rows_without_picture));
  if (join->pictures_without_row > 0)
    text += fmt::format("; {} pictures without a row", format_count(join->pictures_without_row));
  return text + "\n";
}

std::string geometry_text(const ImportReport& r) {
  if (r.has_landmarks) return "five points for each picture; they are aligned when they are read";
  if (r.geometry.points) return r.geometry.describe();
  return r.geometry.describe() + "; say where the faces stand with --points, --landmarks or --geometry";
}

CommandResult run(const Arguments& a, const CommonOptions& common) {
  const auto start = std::chrono::steady_clock::now();
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  check_output(a.out, if_exists);  // before a large source is opened and looked at
  const auto source = open_faces(a.source);
  ImportOptions options = a.options;
  options.on_bad = a.on_bad == "skip" ? OnBad::kSkip : OnBad::kFail;
  options.threads = common.threads;
  Progress progress("import", static_cast<std::uint64_t>(source->size()), "pictures");
  const ImportReport r = import_faces(*source, a.out, if_exists, options,
                                      [&](std::int64_t n) { progress.add(static_cast<std::uint64_t>(n)); });
  progress.finish();
  for (const std::string& reason : r.reasons) log_warn("skipped " + reason);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = static_cast<double>(r.written.bytes) / 1e6 / seconds;

  CommandResult result;
  result.json = {{"out", a.out},
                 {"pictures", r.written.pictures},
                 {"identities", r.written.identities},
                 {"bytes", r.written.bytes},
                 {"digest", r.written.digest},
                 {"geometry", nlohmann::json::parse(r.geometry.to_json())},
                 {"landmarks", r.has_landmarks},
                 {"attributes", attribute_json(r.attributes)},
                 {"skipped", r.skipped},
                 {"skipped_list", r.reasons},
                 {"attribute_rows", join_json(r.attribute_rows)},
                 {"landmark_rows", join_json(r.landmark_rows)},
                 {"seconds", seconds},
                 {"mb_per_second", rate}};
  result.text = fmt::format("{}\npictures     {} of {} identities, {:.1f} MB\ngeometry     {}\n", a.out,
                            format_count(r.written.pictures), format_count(r.written.identities),
                            static_cast<double>(r.written.bytes) / 1e6, geometry_text(r)) +
                join_text("attributes", r.attribute_rows) + attribute_text(r.attributes) +
                join_text("landmarks", r.landmark_rows) +
                (r.skipped > 0 ? fmt::format("skipped      {} bad pictures\n", format_count(r.skipped)) : "") +
                fmt::format("digest       {}\ntime         {:.1f} s, {:.0f} MB/s\n", r.written.digest, seconds, rate);
  return result;
}

}  // namespace

Verb make_import_verb() {
  return {
      "import", "Bring a RecordIO file, a folder of folders or a verification .bin into one *.faces.h5",
      "likeness data import lfw lfw.faces.h5 --landmarks lfw/landmarks.csv --attributes lfw/demographics.csv",
      [](CLI::App& app) {
        auto a = std::make_shared<Arguments>();
        app.add_option("source", a->source,
                       "A .rec or its folder, a folder with one folder for each identity, a .bin, a *.faces.h5")
            ->required();
        app.add_option("output", a->out, "The container to write: NAME.faces.h5")->required();
        app.add_option(
            "--attributes", a->options.attributes,
            "CSV with a column path (relative to the CSV), key (record number) or identity; all other columns "
            "become attributes; a+b is both, empty is unknown; male 0/1 becomes gender");
        app.add_option("--landmarks", a->options.landmarks,
                       "CSV with path or key, and five points as ten numbers in pixels");
        app.add_option("--points", a->options.points, "Five points that all pictures share: \"x,y x,y x,y x,y x,y\"");
        app.add_option("--geometry", a->options.geometry,
                       "arcface: the pictures are aligned to the field's template already");
        app.add_option("--on-bad", a->on_bad, "What to do about a picture that is damaged")
            ->check(CLI::IsMember({"fail", "skip"}))
            ->capture_default_str();
        app.add_flag("--verify", a->options.verify, "Decode every picture instead of looking at headers and ends only");
        return [a](const CommonOptions& common) { return run(*a, common); };
      }};
}

}  // namespace likeness::data
