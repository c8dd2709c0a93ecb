// A trace as a Chrome trace, apart from the recording, which needs no JSON.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/trace.h"

namespace likeness {
namespace {

void append_event(std::string& out, const char* rest) {
  out += out.back() == '[' ? "\n" : ",\n";
  out += rest;
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string metadata(const char* what, int process, std::size_t thread, const std::string& arguments) {
  return std::string(R"({"name":")") + what + R"(","ph":"M","pid":)" + std::to_string(process) + R"(,"tid":)" +
         std::to_string(thread) + R"(,"args":{)" + arguments + "}}";
}

// Microseconds of a number of nanoseconds, exactly.
std::string microseconds(std::int64_t nanoseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(nanoseconds / 1000),
                static_cast<long long>(nanoseconds % 1000));
  return text;
}

}  // namespace

std::string chrome_trace(const std::vector<TraceTrack>& tracks, int process, const std::string& process_name) {
  std::string out = R"({"displayTimeUnit":"ms","traceEvents":[)";
  append_event(out, metadata("process_name", process, 0, R"("name":)" + quoted(process_name)).c_str());
  for (std::size_t t = 0; t < tracks.size(); ++t) {
    append_event(out, metadata("thread_name", process, t, R"("name":)" + quoted(tracks[t].thread)).c_str());
    append_event(out, metadata("thread_sort_index", process, t, R"("sort_index":)" + std::to_string(t)).c_str());
    std::vector<TraceSpan> spans = tracks[t].spans;  // outer ones first, as some viewers want them
    std::stable_sort(spans.begin(), spans.end(), [](const TraceSpan& a, const TraceSpan& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.depth < b.depth;
    });
    for (const TraceSpan& s : spans) {
      std::string event = R"({"name":)" + quoted(s.name) + R"(,"ph":"X","pid":)" + std::to_string(process) +
                          R"(,"tid":)" + std::to_string(t) + R"(,"ts":)" + microseconds(s.begin) + R"(,"dur":)" +
                          microseconds(s.end - s.begin);
      if (s.number >= 0) event += R"(,"args":{"number":)" + std::to_string(s.number) + "}";
      append_event(out, (event + "}").c_str());
    }
  }
  return out + "\n]}\n";
}

}  // namespace likeness
