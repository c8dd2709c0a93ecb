#include "core/trace.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

#include "core/error.h"

namespace likeness {
namespace {

// One thread's part of the recording that is under way. Its own thread writes, stop_trace reads.
struct Track {
  std::mutex mutex;  // hardly ever contended
  std::string thread;
  std::vector<TraceSpan> spans;
};

struct Recorder {
  std::mutex mutex;
  std::vector<std::shared_ptr<Track>> tracks;  // of the threads that had a span in this recording
};

Recorder& recorder() {
  static Recorder instance;
  return instance;
}

// The recording's number; 0 before the first. A span belongs to the recording that it began in, or to none.
std::atomic<std::uint64_t> recording = 0;
SpanMirror mirror{};

struct ThisThread {
  std::string name;
  std::shared_ptr<Track> track;
  std::uint64_t recording = 0;  // that the track belongs to
  int depth = 0;
};
thread_local ThisThread this_thread;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The calling thread's track in recording `current`; null when that one has ended.
Track* own_track(std::uint64_t current) {
  ThisThread& t = this_thread;
  if (t.recording != current) {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    if (recording.load() != current) return nullptr;
    t.track = std::make_shared<Track>();
    t.recording = current;
    t.track->thread = t.name.empty() ? "thread " + std::to_string(r.tracks.size()) : t.name;
    r.tracks.push_back(t.track);
  }
  return t.track.get();
}

}  // namespace

void Span::begin(const char* name, std::int64_t number) noexcept {
  heard_ = listeners.load(std::memory_order_acquire);
  name_ = name;
  if (heard_ & kMirror) mirror.push(name);
  if (heard_ & kRecording) {
    number_ = number;
    recording_ = recording.load(std::memory_order_acquire);
    ++this_thread.depth;
    begin_ = now();
  }
}

void Span::end() noexcept {
  if (heard_ & kRecording) {
    const std::int64_t end = now();
    const int depth = --this_thread.depth;
    try {
      if (Track* track = own_track(recording_)) {
        const std::lock_guard lock(track->mutex);
        track->spans.push_back({name_, number_, begin_, end, depth});
      }
    } catch (const std::exception&) {  // no memory for it: the trace lacks a span, the program goes on
    }
  }
  if (heard_ & kMirror) mirror.pop();
}

void name_thread(const std::string& name) { this_thread.name = name; }

void start_trace() {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  LIKENESS_ASSERT((Span::listeners.load() & Span::kRecording) == 0);
  r.tracks.clear();
  recording.fetch_add(1);
  Span::listeners.fetch_or(Span::kRecording);
}

std::vector<TraceTrack> stop_trace() {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  Span::listeners.fetch_and(~Span::kRecording);
  recording.fetch_add(1);  // spans that are still open belong to none
  std::vector<TraceTrack> tracks;
  for (const auto& track : r.tracks) {
    const std::lock_guard own(track->mutex);
    if (!track->spans.empty()) tracks.push_back({track->thread, std::move(track->spans)});
    track->spans.clear();
  }
  r.tracks.clear();
  return tracks;
}

void mirror_spans(SpanMirror calls) {
  mirror = calls;
  Span::listeners.fetch_or(Span::kMirror, std::memory_order_release);
}

}  // namespace likeness
