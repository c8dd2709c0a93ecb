// Where time goes: named spans of a program's threads, recorded and written as a Chrome trace.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace likeness {

// A stretch of the calling thread's time, from here to the end of the scope. Spans of a thread nest. While nobody
// listens (no recording, no mirror) a span costs one relaxed load and does nothing.
class Span {
 public:
  // `name` lives for ever: a literal. `number` (a step, a picture) is kept beside it when not negative.
  explicit Span(const char* name, std::int64_t number = -1) {
    if (listeners.load(std::memory_order_relaxed) != 0) [[unlikely]]
      begin(name, number);
  }
  ~Span() {
    if (heard_ != 0) [[unlikely]]
      end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  static constexpr unsigned kRecording = 1, kMirror = 2;
  static inline std::atomic<unsigned> listeners = 0;  // which of the two there are

 private:
  void begin(const char* name, std::int64_t number) noexcept;
  void end() noexcept;
  unsigned heard_ = 0;  // the listeners that heard it begin
  const char* name_;
  std::int64_t number_, begin_;
  std::uint64_t recording_;
};

// What `body` returns, computed in a span.
template <class Body>
auto in_span(const char* name, Body body) {
  const Span span(name);
  return body();
}

// What a trace calls the calling thread; without it "thread 3". Costs nothing to speak of, so threads may always say
// it.
void name_thread(const std::string& name);

struct TraceSpan {
  const char* name;
  std::int64_t number;      // -1: none
  std::int64_t begin, end;  // nanoseconds of the machine's steady clock, which all its processes share
  int depth;                // 0: within no other span of this recording
};
struct TraceTrack {
  std::string thread;
  std::vector<TraceSpan> spans;  // in the order they ended
};

// Keeps the spans that begin and end between the two calls, one track per thread that had any, in the order of their
// first. One recording at a time. Any thread may call them, and have spans meanwhile: 50 ns and 48 bytes each.
void start_trace();
std::vector<TraceTrack> stop_trace();

// The JSON that chrome://tracing and ui.perfetto.dev open: complete events ("ph": "X", microseconds with three
// decimals) and the names of threads and process. `process` is its number there: a rank.
std::string chrome_trace(const std::vector<TraceTrack>& tracks, int process, const std::string& process_name);

// Calls these two at the begin and end of every span, on its thread, from now on: NVTX ranges. Once, before the first
// span.
struct SpanMirror {
  void (*push)(const char* name);
  void (*pop)();
};
void mirror_spans(SpanMirror mirror);

}  // namespace likeness
