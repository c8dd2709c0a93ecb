// Progress of long work: one line redrawn on a terminal, a plain line every few seconds in a log.
#pragma once

#include <cstdint>
#include <string>

namespace likeness {

// "import   12,000/49,985 pictures  8,123/s  0:05 left". Draws on stderr at most five times a second on a terminal, every
// ten seconds elsewhere; silent with --quiet. add() may be called from several threads. finish() prints the total once.
class Progress {
 public:
  // total 0 = unknown: the count and the rate are shown without a time left.
  Progress(std::string verb, std::uint64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void add(std::uint64_t n = 1);
  void note(std::string text);  // shown behind the rate, e.g. "loss 3.21"
  void finish();

 private:
  struct State;
  State* state_;
};

void set_progress_quiet(bool quiet);

// "1:02:03" or "0:05"; "-" for a value that is not finite.
std::string format_duration(double seconds);
// "49,985"
std::string format_count(std::uint64_t n);

}  // namespace likeness
