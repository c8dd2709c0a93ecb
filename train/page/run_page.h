// One self-contained HTML page about a run, from what its folder holds: curves, validation, recipe, provenance. Nothing
// is loaded, no script; it works from file://.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "train/run_folder.h"

namespace likeness::train {

struct ValidationRow {
  std::int64_t step = 0;
  std::string set;
  std::map<std::string, double> metrics;
};

struct RunRecord {
  std::string name;        // of the folder
  std::string config;      // resolved, YAML
  std::string provenance;  // JSON
  std::vector<LogRow> rows;
  std::vector<ValidationRow> validations;
};

// From config.yaml, provenance.json and log.jsonl. A last line cut short by a crash is left out; kData naming file and
// line for any other that is no log line.
RunRecord read_run_record(const std::filesystem::path& run);

// Everything from the run is escaped.
std::string run_page(const RunRecord& record);

}  // namespace likeness::train
