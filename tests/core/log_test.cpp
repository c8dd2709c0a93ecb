#include "core/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <regex>
#include <thread>

#include "core/error.h"
#include "core/progress.h"
#include "core/signals.h"

namespace likeness {
namespace {

std::string captured(const std::function<void()>& body) {
  testing::internal::CaptureStderr();
  body();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, ALineHasTimeLevelPrefixAndText) {
  const std::string text = captured([] {
    set_log_prefix("rank 3");
    log_info("two\nlines");
    set_log_prefix("");
  });
  EXPECT_TRUE(std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info  rank 3  two lines\n)")))
      << text;
}

TEST(Log, LinesBelowTheLevelAreLeftOut) {
  const std::string text = captured([] {
    set_log_level(LogLevel::kWarn);
    log_debug("a-debug");
    log_info("an-info");
    log_warn("a-warning");
    log_error("an-error");
    set_log_level(LogLevel::kInfo);
  });
  EXPECT_EQ(text.find("info"), std::string::npos);
  EXPECT_NE(text.find("warn  a-warning"), std::string::npos);
  EXPECT_NE(text.find("error  an-error"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Log, ThreadsDoNotMixTheirLines) {
  const std::string text = captured([] {
    std::vector<std::jthread> team;
    for (int t = 0; t < 4; ++t) {
      team.emplace_back([] {
        for (int i = 0; i < 50; ++i) log_info(std::string(100, 'x'));
      });
    }
  });
  const std::regex line(R"(\S+ \S+ info  x{100}\n)");
  EXPECT_EQ(std::distance(std::sregex_iterator(text.begin(), text.end(), line), std::sregex_iterator()), 200);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 200);
}

TEST(Progress, ShortWorkInALogLeavesItsTotalOnly) {
  const std::string text = captured([] {
    Progress progress("import", 12'000, "pictures");
    for (int i = 0; i < 12; ++i) progress.add(1000);
    progress.note("loss 3.21");
    progress.finish();
    progress.finish();
  });
  EXPECT_TRUE(std::regex_match(text, std::regex(R"(import   12,000 pictures  [\d,]+/s  in 0:0\d  loss 3.21\n)")))
      << text;
}

TEST(Progress, AnEarlyEndSaysHowFarItCameAndAnExceptionClaimsNothing) {
  EXPECT_NE(captured([] {
              Progress progress("embed", 10, "pictures");
              progress.add(4);
              progress.finish();
            }).find("4/10 pictures"),
            std::string::npos);
  EXPECT_EQ(captured([] { Progress("embed", 10, "pictures").add(4); }), "");
}

TEST(Progress, QuietIsSilent) {
  set_progress_quiet(true);
  EXPECT_EQ(captured([] {
              Progress progress("embed", 10, "pictures");
              progress.add(10);
              progress.finish();
            }),
            "");
  set_progress_quiet(false);
}

TEST(Format, DurationsAndCounts) {
  EXPECT_EQ(format_duration(4.6), "0:05");
  EXPECT_EQ(format_duration(3599.6), "1:00:00");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(INFINITY), "-");
  EXPECT_EQ(format_duration(NAN), "-");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(49'985), "49,985");
  EXPECT_EQ(format_count(1'000'000'000), "1,000,000,000");
}

TEST(Signals, ATermIsNoticedAtTheNextSafePoint) {
  install_signal_handlers();
  throw_if_stopped();
  ::raise(SIGTERM);
  EXPECT_EQ(stop_signal(), SIGTERM);
  try {
    throw_if_stopped();
    FAIL();
  } catch (const Interrupted& e) {
    EXPECT_EQ(e.signal(), SIGTERM);
  }
  set_stop_signal(0);
  throw_if_stopped();
}

TEST(SignalsDeathTest, ASecondInterruptEndsTheProgramAtOnce) {
  EXPECT_EXIT(
      {
        install_signal_handlers();
        ::raise(SIGINT);
        ::raise(SIGINT);
        std::exit(0);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace likeness
