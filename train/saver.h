// Checkpoints written beside the training: the step does not wait for the disk.
#pragma once

#include <condition_variable>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "train/checkpoint.h"

namespace likeness::train {

// save_checkpoint, or what does more or less than it.
using WriteCheckpoint =
    std::function<void(const std::filesystem::path& folder, const Checkpoint& checkpoint, const SavingRanks& ranks)>;

// `write`, after which rank 0 removes all but the `keep` newest checkpoints of `run`.
WriteCheckpoint pruning(WriteCheckpoint write, std::filesystem::path run, std::int64_t keep);

// Writes one checkpoint at a time on a thread of its own, which a save lives no longer than. A save is all or nothing
// over the ranks as ever (checkpoint.h): what its thread wants to hear from the other ranks, the training thread asks
// for it between two steps, once the threads of all ranks have come to that question. So one thread alone talks to the
// group, in the same order on every rank.
//
//     Checkpoint& c = saver.buffer();   // waits for the save before, if it is still under way
//     … copy the state into c …
//     saver.start(folder);
//     saver.between_steps();            // after every step
//     saver.wait();                     // before the run ends, stops, or reads checkpoints
//
// All of this belongs to the training thread, and happens at the same places on all ranks. A save that failed is
// rethrown by the next between_steps(), wait() or buffer(), on all ranks alike: what it left is gone, older checkpoints
// are as they were. Group's errors come through.
class Saver {
 public:
  // `ranks` as the training thread speaks to them.
  explicit Saver(SavingRanks ranks, WriteCheckpoint write = save_checkpoint);
  // Lets a save under way end; one that needs an answer of other ranks is given up, without a trace.
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  // What the next save writes. Its memory is kept from one save to the next: copying into it allocates nothing then.
  Checkpoint& buffer();
  void start(const std::filesystem::path& folder);
  void between_steps();
  void wait();
  bool busy() const { return thread_.joinable(); }

 private:
  void ask(const std::function<void()>& question);  // the saving thread's
  bool rests();
  void go_on();
  void finish();

  SavingRanks ranks_;
  WriteCheckpoint write_;
  Checkpoint buffer_;
  std::filesystem::path folder_;
  std::thread thread_;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  const std::function<void()>* question_ = nullptr;  // that the thread waits for
  bool done_ = false, given_up_ = false;
  std::exception_ptr failure_;
};

}  // namespace likeness::train
