// Before the first batch: do the ranks reach each other, with the right answers, and are they about to do the same?
#pragma once

#include <c10/core/Device.h>

#include <string>

#include "train/dist/group.h"

namespace likeness::train {

struct PreflightOptions {
  std::string address;             // this rank's address or interface, as messages call it
  std::string digest;              // of all that must be alike on all ranks: configuration and data; at most 200 bytes
  c10::Device device = c10::kCPU;  // where the group's tensors live
};

// An all-reduce and an all-gather with known answers, then a comparison of digests. All ranks call it. kEnvironment
//   - naming this rank, its host and address, and the operation, when one fails or its answer is wrong;
//   - naming the ranks, with host and address, whose answer is wrong or whose digest is not that of most ranks: every
//     rank says the same.
void preflight(Group& group, const PreflightOptions& options);

}  // namespace likeness::train
