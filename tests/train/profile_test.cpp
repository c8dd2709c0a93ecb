// What a profile says of recorded spans, and which steps it records.
#include "train/profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/file.h"
#include "tests/support/paths.h"

namespace likeness::train {
namespace {

TraceSpan span(const char* name, int begin_ms, int end_ms, int depth) {
  return {name, -1, begin_ms * 1'000'000LL, end_ms * 1'000'000LL, depth};
}

TEST(Profile, PhasesAreWhatLiesDirectlyWithinSteps) {
  const std::vector<TraceTrack> tracks = {
      {"loader 0", {span("decode", 0, 500, 0)}},
      {"training",
       {span("log", 0, 90, 1),  // of no step: its step began before the recording
        span("validation", 0, 95, 0), span("forward", 100, 130, 1), span("all-gather", 131, 133, 2),
        span("head", 130, 140, 1), span("step", 100, 150, 0), span("forward", 150, 170, 1), span("step", 150, 180, 0),
        span("forward", 180, 190, 1)}}};  // its step had not ended
  const ProfileSummary s = summarise_steps(tracks);
  EXPECT_EQ(s.steps, 2);
  EXPECT_DOUBLE_EQ(s.milliseconds, 40);
  const std::vector<std::pair<std::string, double>> want = {{"forward", 25}, {"other", 10}, {"head", 5}};
  ASSERT_EQ(s.phases.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(s.phases[i].first, want[i].first);
    EXPECT_NEAR(s.phases[i].second, want[i].second, 1e-9);
  }
  EXPECT_EQ(phases_text(s), "forward 62.5 %, other 25.0 %, head 12.5 %");
  EXPECT_EQ(summarise_steps({tracks[0]}).steps, 0);
}

// The numbers of the steps recorded when `asked` of `left` are to be.
std::vector<std::int64_t> recorded(std::int64_t asked, std::int64_t left, const std::filesystem::path& file) {
  StepProfile profile(asked, left, file, 2);
  for (std::int64_t step = 1; step <= left; ++step) {
    profile.before_step();
    const Span whole("step", step);
    in_span("forward", [] {});
  }
  const ProfileSummary s = profile.finish();
  std::vector<std::int64_t> steps;
  if (s.file.empty()) return steps;
  EXPECT_EQ(s.file, file);
  const auto trace = nlohmann::json::parse(read_text(file));
  for (const auto& e : trace.at("traceEvents"))
    if (e.at("name") == "step") steps.push_back(e.at("args").at("number").get<std::int64_t>());
  EXPECT_EQ(static_cast<std::int64_t>(steps.size()), s.steps);
  return steps;
}

TEST(Profile, RecordsTheStepsAfterTheWarmUp) {
  const test::TempDir dir;
  const auto file = dir / "trace.json";
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(recorded(2, 10, file), (Steps{4, 5}));
  EXPECT_EQ(recorded(4, 7, file), (Steps{4, 5, 6, 7}));
  EXPECT_EQ(recorded(4, 5, file), (Steps{2, 3, 4, 5}));  // less warm-up
  EXPECT_EQ(recorded(9, 3, file), (Steps{1, 2, 3}));     // fewer steps
  EXPECT_EQ(recorded(3, 0, dir / "none.json"), Steps{});
  EXPECT_EQ(recorded(0, 5, dir / "none.json"), Steps{});
  EXPECT_FALSE(std::filesystem::exists(dir / "none.json"));
}

TEST(Profile, OneThatIsGivenUpLeavesNoRecordingBehind) {
  const test::TempDir dir;
  {
    StepProfile profile(5, 100, dir / "trace.json", 0);
    for (int i = 0; i < 6; ++i) profile.before_step();
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "trace.json"));
  EXPECT_EQ(Span::listeners.load(), 0u);
}

}  // namespace
}  // namespace likeness::train
