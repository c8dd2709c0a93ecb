#include "train/saver.h"

#include <utility>

#include "core/error.h"

namespace likeness::train {

WriteCheckpoint pruning(WriteCheckpoint write, std::filesystem::path run, std::int64_t keep) {
  return [=](const std::filesystem::path& folder, const Checkpoint& checkpoint, const SavingRanks& ranks) {
    write(folder, checkpoint, ranks);
    if (ranks.rank == 0) prune_checkpoints(run, keep);
  };
}

Saver::Saver(SavingRanks ranks, WriteCheckpoint write) : ranks_(std::move(ranks)), write_(std::move(write)) {}

Saver::~Saver() {
  if (!busy()) return;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    question_ = nullptr;
  }
  changed_.notify_all();
  thread_.join();
}

Checkpoint& Saver::buffer() {
  wait();
  return buffer_;
}

void Saver::start(const std::filesystem::path& folder) {
  LIKENESS_ASSERT(!busy());
  folder_ = folder;
  done_ = false;
  thread_ = std::thread([this] {
    // Without an answer every question is answered no.
    const SavingRanks through_the_training_thread{.rank = ranks_.rank,
                                                  .size = ranks_.size,
                                                  .all =
                                                      [this](bool mine) {
                                                        bool answer = false;
                                                        ask([&] { answer = ranks_.all(mine); });
                                                        return answer;
                                                      },
                                                  .from_rank_0 =
                                                      [this](const std::string& text) {
                                                        std::string answer;
                                                        ask([&] { answer = ranks_.from_rank_0(text); });
                                                        return answer;
                                                      }};
    std::exception_ptr failure;
    try {
      write_(folder_, buffer_, ranks_.size == 1 ? SavingRanks{} : through_the_training_thread);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    done_ = true;
    changed_.notify_all();
  });
}

void Saver::ask(const std::function<void()>& question) {
  std::unique_lock lock(mutex_);
  if (given_up_) return;
  question_ = &question;
  changed_.notify_all();
  changed_.wait(lock, [this] { return question_ == nullptr; });
}

// The thread has a question, or nothing left to do.
bool Saver::rests() {
  const std::lock_guard lock(mutex_);
  return done_ || question_ != nullptr;
}

void Saver::between_steps() {
  if (busy() && ranks_.all(rests())) go_on();
}

void Saver::wait() {
  while (busy()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return done_ || question_ != nullptr; });
    }
    ranks_.all(true);  // until the other ranks' threads rest, too
    go_on();
  }
}

// All threads rest, and at the same place: each has heard the same answers.
void Saver::go_on() {
  const std::function<void()>* question = nullptr;
  {
    const std::lock_guard lock(mutex_);
    question = question_;
  }
  if (question == nullptr) return finish();
  const auto answered = [this](bool given_up) {
    const std::lock_guard lock(mutex_);
    given_up_ = given_up;
    question_ = nullptr;
    changed_.notify_all();
  };
  try {
    (*question)();
  } catch (...) {
    answered(true);  // the group is lost, and no later question will have an answer
    throw;
  }
  answered(false);
}

void Saver::finish() {
  thread_.join();
  const std::exception_ptr failure = std::exchange(failure_, nullptr);
  const bool everywhere = ranks_.all(!failure);
  if (failure) std::rethrow_exception(failure);
  if (!everywhere) fail_for_another_rank(folder_);
}

}  // namespace likeness::train
