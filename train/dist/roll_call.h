// After an operation failed: who still answers, so that a message can name the rank that was lost and not just one that
// noticed.
#pragma once

#include <chrono>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

namespace likeness::train {

class RollCall {
 public:
  // Tells all ranks this one's host and process, and waits for theirs: all ranks make one at the same time.
  RollCall(c10::intrusive_ptr<c10d::Store> store, int rank, int size);

  // Says through the store that this rank is here, and gives the others `patience` to say so, too. The ranks that did
  // not, as "rank 2 (host node05, process 812), rank 3 (…)"; empty if all did. If the store does not answer, that is
  // rank 0, which serves it. Never throws; returns at the latest a second after `patience`, even if the network is cut.
  // A second call gives the first one's answer.
  const std::string& absent(std::chrono::milliseconds patience);

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int rank_, size_;
  std::vector<std::string> names_;
  bool called_ = false;
  std::string absent_;
};

}  // namespace likeness::train
