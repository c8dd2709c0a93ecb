#include "core/trace.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace likeness {
namespace {

std::map<std::string, std::vector<TraceSpan>> by_thread(const std::vector<TraceTrack>& tracks) {
  std::map<std::string, std::vector<TraceSpan>> spans;
  for (const TraceTrack& t : tracks) spans[t.thread] = t.spans;
  return spans;
}

TEST(Trace, SpansNestAndEveryThreadHasATrack) {
  name_thread("main");
  start_trace();
  {
    const Span outer("outer", 7);
    EXPECT_EQ(in_span("inner", [] { return 3; }), 3);
    std::thread([] {
      name_thread("other");
      const Span span("work");
    }).join();
    in_span("inner", [] {});
  }
  const auto spans = by_thread(stop_trace());
  ASSERT_EQ(spans.size(), 2u);
  const std::vector<TraceSpan>& main = spans.at("main");
  ASSERT_EQ(main.size(), 3u);  // in the order they ended
  EXPECT_STREQ(main[0].name, "inner");
  EXPECT_STREQ(main[2].name, "outer");
  EXPECT_EQ(main[2].number, 7);
  EXPECT_EQ(main[0].number, -1);
  for (int i : {0, 1}) {
    EXPECT_EQ(main[i].depth, 1);
    EXPECT_LE(main[2].begin, main[i].begin);
    EXPECT_LE(main[i].begin, main[i].end);
    EXPECT_LE(main[i].end, main[2].end);
  }
  EXPECT_EQ(main[2].depth, 0);
  EXPECT_LE(main[0].end, main[1].begin);
  ASSERT_EQ(spans.at("other").size(), 1u);
  EXPECT_EQ(spans.at("other")[0].depth, 0);
}

TEST(Trace, ASpanBelongsToTheRecordingThatSawAllOfIt) {
  std::optional<Span> before, across;
  before.emplace("before");
  start_trace();
  across.emplace("across");
  before.reset();
  EXPECT_TRUE(stop_trace().empty());
  start_trace();
  across.reset();
  in_span("whole", [] {});
  const std::vector<TraceTrack> tracks = stop_trace();
  in_span("after", [] {});
  ASSERT_EQ(tracks.size(), 1u);
  ASSERT_EQ(tracks[0].spans.size(), 1u);
  EXPECT_STREQ(tracks[0].spans[0].name, "whole");
  EXPECT_EQ(tracks[0].spans[0].depth, 0);
  start_trace();
  EXPECT_TRUE(stop_trace().empty());
}

// Threads come and go and have spans while recordings begin and end: whatever a recording holds is whole.
TEST(Trace, RecordingsMayBeginAndEndWhileThreadsWork) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        const Span outer("outer");
        const Span inner("inner");
      }
    });
  std::size_t seen = 0;
  for (int i = 0; i < 50; ++i) {
    start_trace();
    const std::int64_t begin = std::chrono::steady_clock::now().time_since_epoch().count();
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    const std::int64_t end = std::chrono::steady_clock::now().time_since_epoch().count();
    for (const TraceTrack& track : stop_trace()) {
      seen += track.spans.size();
      for (const TraceSpan& s : track.spans) {
        EXPECT_LE(s.begin, s.end);
        EXPECT_GT(s.end, begin - 1'000'000'000);
        EXPECT_LT(s.begin, end + 1'000'000'000);
        EXPECT_TRUE(s.depth == 0 || s.depth == 1) << s.depth;
      }
    }
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_GT(seen, 100u);
}

TEST(Trace, TheFileIsWhatChromeReads) {
  const std::vector<TraceTrack> tracks = {{"a \"quoted\"\nname",
                                           {{"inner", 5, 1'000'200'000'000'001, 1'000'200'000'001'000, 1},
                                            {"outer", -1, 1'000'200'000'000'000, 1'000'200'000'002'500, 0}}},
                                          {"b", {{"work", 0, 7, 8, 0}}}};
  const auto json = nlohmann::json::parse(chrome_trace(tracks, 3, "rank 3"));
  std::vector<nlohmann::json> events, names;
  for (const auto& e : json.at("traceEvents")) {
    EXPECT_EQ(e.at("pid"), 3);
    if (e.at("ph") == "X") events.push_back(e);
    if (e.at("name") == "thread_name" || e.at("name") == "process_name") names.push_back(e.at("args").at("name"));
  }
  EXPECT_EQ(names, (std::vector<nlohmann::json>{"rank 3", "a \"quoted\"\nname", "b"}));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].at("name"), "outer");  // before what it holds
  EXPECT_EQ(events[0].at("ts").get<double>(), 1'000'200'000'000.0);
  EXPECT_EQ(events[0].at("dur").get<double>(), 2.5);
  EXPECT_EQ(events[1].at("ts").get<double>(), 1'000'200'000'000.001);
  EXPECT_EQ(events[1].at("dur").get<double>(), .999);
  EXPECT_EQ(events[1].at("args").at("number"), 5);
  EXPECT_FALSE(events[0].contains("args"));
  EXPECT_EQ(events[2].at("tid"), 1);
  EXPECT_TRUE(nlohmann::json::parse(chrome_trace({}, 0, "none")).at("traceEvents").is_array());
}

std::vector<std::string> mirrored;

// Last: a mirror stays.
TEST(TraceMirror, SeesEverySpanWithoutARecording) {
  mirror_spans({.push = [](const char* name) { mirrored.push_back(name); }, .pop = [] { mirrored.push_back("end"); }});
  {
    const Span outer("outer");
    in_span("inner", [] {});
  }
  EXPECT_EQ(mirrored, (std::vector<std::string>{"outer", "inner", "end", "end"}));
  start_trace();
  in_span("both", [] {});
  EXPECT_EQ(stop_trace().size(), 1u);
  EXPECT_EQ(mirrored.size(), 6u);
}

}  // namespace
}  // namespace likeness
