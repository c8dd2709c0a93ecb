// The folder a run leaves behind: what was asked, where it ran, how it went (docs/formats/run.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/crop.h"
#include "train/events.h"
#include "train/outliers.h"

namespace likeness::train {

// One line of the log: means over the steps since the line before.
struct LogRow {
  std::int64_t step = 0;     // steps done
  double epoch = 0;          // 2.5: in the middle of the third
  double loss = 0;           // mean cross-entropy
  double rate = 0;           // learning rate of the last step
  double gradient_norm = 0;  // of the backbone, last step, before clipping
  double pictures_per_second = 0;
  double seconds = 0;                                      // of training, over all starts
  std::vector<std::pair<std::string, double>> terms = {};  // losses beside the classifier's, without their weight
};

// Named facts about a start of the run, in the order they are written.
using Facts = std::vector<std::pair<std::string, std::string>>;

enum class RunStart { kNew, kReplace, kResume };

// Not thread-safe. Errors: kUsage when a run is already there (kNew) or the folder is something else (kReplace);
// kEnvironment when the disk is full.
class RunFolder {
 public:
  // kResume keeps what is there up to `step` and drops later log lines; without a folder it makes one. `config` is the
  // resolved configuration. `facts` go to provenance.json, one entry per start.
  RunFolder(const std::filesystem::path& path, RunStart start, std::int64_t step, const std::string& config,
            const Facts& facts);
  ~RunFolder();

  void log(const LogRow& row);
  // `set` is the validation set's name; the metrics go to log.jsonl and TensorBoard.
  void log_validation(std::int64_t step, const std::string& set, const std::map<std::string, double>& metrics);
  // A step that stands out, with the names of its pictures, to log.jsonl and TensorBoard.
  void log_outlier(const Outlier& outlier, const std::vector<std::string>& pictures);
  // To TensorBoard alone.
  void log_histogram(std::int64_t step, const std::string& tag, const Histogram& histogram);
  void log_picture(std::int64_t step, const std::string& tag, const data::Image& picture);
  // Writes run.html (page/run_page.h), and then DONE with step, loss and seconds: its presence means that nothing is
  // left to do.
  void done(const LogRow& last);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path best() const { return path_ / "best"; }

 private:
  void append(const std::string& file, const std::string& line);
  std::filesystem::path path_;
  std::unique_ptr<EventWriter> events_;
};

// Refuses early, before data are read: an existing `path` for kNew, a folder that is no run for kReplace.
void check_run_folder(const std::filesystem::path& path, RunStart start);

}  // namespace likeness::train
