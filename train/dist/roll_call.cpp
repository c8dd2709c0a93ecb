#include "train/dist/roll_call.h"

#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "train/dist/environment.h"

namespace likeness::train {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kAsk{20}, kGrace{500};

std::string key_of(const char* what, int rank) { return std::string("likeness/") + what + "/" + std::to_string(rank); }

// What the thread that asks the store and the one that waits for it share. It may outlive the latter: nothing ends a
// read from a connection that is cut.
struct Roll {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> present;
  bool lost_store = false, done = false;
};

void ask(const std::shared_ptr<Roll>& roll, const c10::intrusive_ptr<c10d::Store>& store, int rank,
         Clock::time_point until) {
  try {
    store->set(key_of("here", rank), std::vector<std::uint8_t>{1});
    for (bool all = false; !all && Clock::now() < until; std::this_thread::sleep_for(kAsk)) {
      all = true;
      for (std::size_t r = 0; r < roll->present.size(); ++r) {
        const bool here = roll->present[r] || store->check({key_of("here", static_cast<int>(r))});
        const std::lock_guard lock(roll->mutex);
        roll->present[r] = here;
        all &= here;
      }
    }
  } catch (const std::exception&) {
    const std::lock_guard lock(roll->mutex);
    roll->lost_store = true;
  }
  const std::lock_guard lock(roll->mutex);
  roll->done = true;
  roll->changed.notify_all();
}

}  // namespace

RollCall::RollCall(c10::intrusive_ptr<c10d::Store> store, int rank, int size)
    : store_(std::move(store)), rank_(rank), size_(size) {
  const std::string self = "host " + host_name() + ", process " + std::to_string(::getpid());
  store_->set(key_of("who", rank), std::vector<std::uint8_t>(self.begin(), self.end()));
  for (int r = 0; r < size; ++r) {
    const auto bytes = store_->get(key_of("who", r));
    names_.push_back("rank " + std::to_string(r) + " (" + std::string(bytes.begin(), bytes.end()) + ")");
  }
}

const std::string& RollCall::absent(std::chrono::milliseconds patience) {
  if (std::exchange(called_, true)) return absent_;
  const auto roll = std::make_shared<Roll>();
  roll->present.resize(static_cast<std::size_t>(size_));
  // The rank that serves the store stays until the others, who began later, have asked to the end.
  const auto until = Clock::now() + patience + (rank_ == 0 ? kGrace : std::chrono::milliseconds(0));
  std::thread(ask, roll, store_, rank_, until).detach();
  std::unique_lock lock(roll->mutex);
  roll->changed.wait_until(lock, until + kGrace, [&] { return roll->done; });
  // Without the store nothing is known of the others; but a rank 0 that was here has left because it noticed, too.
  const bool only_first = (roll->lost_store || !roll->done) && !roll->present[0];
  for (std::size_t r = 0; r < names_.size(); ++r)
    if (only_first ? r == 0 : !roll->present[r]) absent_ += (absent_.empty() ? "" : ", ") + names_[r];
  return absent_;
}

}  // namespace likeness::train
