#include "core/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>

#include "core/terminal.h"

namespace likeness {
namespace {

using Clock = std::chrono::steady_clock;
std::atomic<bool> quiet{false};

}  // namespace

struct Progress::State {
  std::string verb, unit;
  std::uint64_t total;
  Clock::time_point start = Clock::now();
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::int64_t> next_draw_ms{0};  // since `start`; read on every add(), so no lock there
  std::mutex mutex;                           // guards what follows
  std::string note;
  bool finished = false;

  std::int64_t elapsed_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  }

  std::string line(bool last) const {
    const std::uint64_t count = done;
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double rate = seconds > 0 ? static_cast<double>(count) / seconds : 0;
    const std::string of = total > 0 && !(last && count == total) ? fmt::format("/{}", format_count(total)) : "";
    // A whole number says enough above 10; below, slow work (a training step) needs digits.
    const std::string speed = rate >= 10 ? format_count(static_cast<std::uint64_t>(rate)) : fmt::format("{:.2f}", rate);
    std::string text = fmt::format("{}   {}{} {}  {}/s", verb, format_count(count), of, unit, speed);
    if (last) {
      text += "  in " + format_duration(seconds);
    } else if (total > 0) {
      text += "  " + format_duration(rate > 0 ? static_cast<double>(total - std::min(count, total)) / rate : INFINITY) +
              " left";
    }
    return note.empty() ? text : text + "  " + note;
  }
};

Progress::Progress(std::string verb, std::uint64_t total, std::string unit) : state_(new State) {
  state_->verb = std::move(verb);
  state_->unit = std::move(unit);
  state_->total = total;
  // In a log, work of less than ten seconds leaves only its last line.
  state_->next_draw_ms = stderr_is_terminal() ? 0 : 10'000;
}

Progress::~Progress() {
  if (!state_->finished && stderr_is_terminal() && !quiet)
    draw_status("");  // left by an exception: no total is claimed
  delete state_;
}

void Progress::add(std::uint64_t n) {
  State& s = *state_;
  s.done += n;
  if (quiet) return;
  std::int64_t due = s.next_draw_ms;
  const std::int64_t now = s.elapsed_ms();
  const bool terminal = stderr_is_terminal();
  // The thread that moves the time on draws; the others go on working.
  if (now < due || !s.next_draw_ms.compare_exchange_strong(due, now + (terminal ? 200 : 10'000))) return;
  const std::lock_guard lock(s.mutex);
  if (s.finished) return;
  if (terminal) {
    draw_status(s.line(false));
  } else {
    print_line(s.line(false));
  }
}

void Progress::note(std::string text) {
  const std::lock_guard lock(state_->mutex);
  state_->note = std::move(text);
}

void Progress::finish() {
  const std::lock_guard lock(state_->mutex);
  if (state_->finished) return;
  state_->finished = true;
  if (quiet) return;
  if (stderr_is_terminal()) draw_status("");
  print_line(state_->line(true));
}

void set_progress_quiet(bool value) { quiet = value; }

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "-";
  const auto total = static_cast<std::int64_t>(std::llround(seconds));
  return total < 3600 ? fmt::format("{}:{:02}", total / 60, total % 60)
                      : fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

std::string format_count(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

}  // namespace likeness
