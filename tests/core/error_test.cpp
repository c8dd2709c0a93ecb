#include "core/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace likeness {
namespace {

TEST(Error, TextHasALineForEachPartThatIsGiven) {
  const Error full(ErrorKind::kData, {.what = "picture cannot be decoded",
                                      .where = "train.rec, record 17",
                                      .expected = "a JPEG",
                                      .got = "zeros",
                                      .hint = "--on-bad skip"});
  EXPECT_STREQ(full.what(),
               "picture cannot be decoded\n  where:    train.rec, record 17\n  expected: a JPEG\n  got:      zeros\n"
               "  hint:     --on-bad skip");
  EXPECT_EQ(full.exit_code(), 4);
  const Error brief(ErrorKind::kUsage, {.what = "no verb given", .where = "likeness data"});
  EXPECT_STREQ(brief.what(), "no verb given\n  where:    likeness data");
}

TEST(Error, NewlinesAndControlCharactersInPartsCannotAddLines) {
  const Error e(ErrorKind::kData,
                {.what = "a\nb", .where = "evil\x1b[31m\nname", .got = "several\nlines\n", .hint = "h"});
  const std::string text = e.what();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(std::strstr(e.what(), "several lines\n"), nullptr);
}

TEST(Error, KindsAreTheExitCodes) {
  try {
    fail_usage({.what = "w", .where = "x"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), 2);
  }
  EXPECT_EQ(Error(ErrorKind::kCheckFailed, {.what = "w"}).exit_code(), 1);
  EXPECT_EQ(Error(ErrorKind::kInconclusive, {.what = "w"}).exit_code(), 3);
  EXPECT_EQ(Error(ErrorKind::kEnvironment, {.what = "w"}).exit_code(), 5);
}

TEST(Error, AFailedAssertionIsALogicErrorThatNamesItsPlace) {
  try {
    LIKENESS_ASSERT(1 + 1 == 3);
    FAIL();
  } catch (const std::logic_error& e) {
    EXPECT_NE(std::string(e.what()).find("error_test.cpp"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("1 + 1 == 3"), std::string::npos);
  }
}

}  // namespace
}  // namespace likeness
