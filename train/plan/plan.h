// A run on paper: what `likeness train plan` tells.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/plan/forecast.h"

namespace likeness::train {

struct PlanRequest {
  std::filesystem::path config;               // the recipe
  std::vector<std::string> assignments = {};  // --set key=value
  int ranks = 1;                              // that will train together; none is started
  std::int64_t memory = 0;                    // bytes a rank may use; 0: not limited
  std::int64_t identities = 0, pictures = 0;  // of the set; 0: the recipe's set is opened
  double seconds = 30;                        // of timing; 0: none
  int threads = 0;                            // of a rank; 0: all cores
  std::string device = "auto";
};

struct Measured {
  std::int64_t steps = 0;       // that were timed
  double seconds_per_step = 0;  // of a rank's batch, with the head's work on the pictures of all ranks; no
                                // communication, no reading of pictures
  double head_share = 0;        // of that
  std::int64_t memory = 0;      // bytes of anonymous memory that the process gained, at its highest; 0: not known
  std::string device = {};
  int threads = 1;
};

struct Plan {
  Recipe recipe;  // complete
  Job job;
  std::vector<Part> memory, sent;
  std::optional<Measured> measured = {};  // not where the forecast says that it does not fit
  std::vector<std::string> advice;
};

// Errors as for a run: kUsage, kData, kEnvironment for mistakes in recipe, set or device; Interrupted.
Plan plan_run(const PlanRequest& request);

}  // namespace likeness::train
