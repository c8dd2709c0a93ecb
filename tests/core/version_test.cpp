#include "core/version.h"

#include <gtest/gtest.h>

#include <regex>

namespace likeness {
namespace {

TEST(Version, SaysWhatThisBuildIs) {
  EXPECT_TRUE(std::regex_match(version(), std::regex(R"(\d+\.\d+\.\d+)")));
  EXPECT_TRUE(std::regex_match(git_revision(), std::regex(R"(unknown|[0-9a-f]{12}(\+changes)?)"))) << git_revision();
  EXPECT_FALSE(cpu_features().empty());
  const std::string text = version_text({"OpenCV 4.6.0"});
  for (const std::string& part :
       {version(), git_revision(), cpu_features(), std::string("HDF5 1."), std::string("OpenCV 4.6.0")}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace likeness
