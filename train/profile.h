// `--profile N`: what N steps of a run do when, as a Chrome trace and as each phase's share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/trace.h"

namespace likeness::train {

struct ProfileSummary {
  std::filesystem::path file = {};  // empty: nothing was recorded
  std::int64_t steps = 0;
  double milliseconds = 0;  // of a step, mean; validation and checkpoints that were due count
  // Of a step, mean, largest first: what lies directly within the spans "step", and "other" for what no span covers.
  std::vector<std::pair<std::string, double>> phases = {};
};

// Reads the spans of the thread that trains: every span "step" at depth 0 is one.
ProfileSummary summarise_steps(const std::vector<TraceTrack>& tracks);
// "forward 31.2 %, backward 58.0 %, …".
std::string phases_text(const ProfileSummary& summary);

// Records spans (core/trace.h) of the steps after the first few, in which allocator and convolutions choose their ways.
// Made and called on the thread that trains.
class StepProfile {
 public:
  static constexpr std::int64_t kWarmUp = 3, kMost = 1000;

  // `steps`: how many to record, 0 for none. `left`: how many the run will take; where they do not suffice for both,
  // there is less warm-up, then fewer steps are recorded. The trace goes to `file`, whose folder is there when
  // recording ends; it replaces an older one.
  StepProfile(std::int64_t steps, std::int64_t left, std::filesystem::path file, int rank);
  ~StepProfile();  // what was not finished is dropped
  StepProfile(const StepProfile&) = delete;
  StepProfile& operator=(const StepProfile&) = delete;

  // Before each step. Begins after the warm-up, and writes the file after the last step that was asked for
  // (kEnvironment when the disk is full).
  void before_step();
  // After the last step of the run.
  const ProfileSummary& finish();

 private:
  enum class State { kWaiting, kRecording, kDone };
  void write();
  State state_;
  std::int64_t warm_up_, steps_, seen_ = 0;
  std::filesystem::path file_;
  int rank_;
  ProfileSummary summary_;
};

}  // namespace likeness::train
