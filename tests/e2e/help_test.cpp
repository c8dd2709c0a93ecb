// Every verb explains itself, and wrong words are answered with the right one.
#include "tests/e2e/walk.h"

namespace likeness::test {
namespace {

const std::vector<std::pair<std::string, std::vector<std::string>>> kVerbs = {
    {"data", {"synth", "import", "info", "view"}},
    {"train", {"run", "weights"}},
    {"eval", {"embed", "verify", "identify", "bias", "report"}},
    {"export", {"onnx", "check"}},
};

TEST(Help, EveryVerbHasOneWithAnExample) {
  for (const auto& [stage, verbs] : kVerbs) {
    const ProcessResult whole = likeness_in(".", {stage, "--help"});
    for (const std::string& verb : verbs) {
      EXPECT_NE(whole.out.find(verb), std::string::npos) << stage << " --help does not list " << verb;
      const ProcessResult one = likeness_in(".", {stage, verb, "--help"});
      EXPECT_NE(one.out.find("likeness " + stage + " " + verb), std::string::npos) << "no example in " << stage << " " << verb;
      for (const char* common : {"--json", "--out", "--threads", "--force"})
        EXPECT_NE(one.out.find(common), std::string::npos) << stage << " " << verb << " lacks " << common;
    }
  }
}

TEST(Help, TheDispatcherListsStagesAndVersions) {
  const ProcessResult help = likeness_in(".", {"--help"});
  for (const char* stage : {"data", "train", "eval", "export"}) EXPECT_NE(help.out.find(stage), std::string::npos);
  const ProcessResult version = likeness_in(".", {"--version"});
  EXPECT_NE(version.out.find("likeness 0.1.0"), std::string::npos) << version.out;
}

TEST(Help, WrongWordsAreWrongUse) {
  EXPECT_NE(likeness_in(".", {"exprot"}, 2).err.find("export"), std::string::npos);
  likeness_in(".", {"data", "improt"}, 2);
  likeness_in(".", {"data", "info"}, 2);
  likeness_in(".", {"data", "info", "x.faces.h5", "--colour"}, 2);
}

TEST(Help, ErrorsAreOneJsonObjectWhenAsked) {
  const ProcessResult r = likeness_in(".", {"data", "info", "not-there.faces.h5", "--json"}, 4);
  const auto json = nlohmann::json::parse(r.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << r.out;
  EXPECT_EQ(json["exit"], 4);
  EXPECT_NE(json["error"]["where"].get<std::string>().find("not-there"), std::string::npos);
}

}  // namespace
}  // namespace likeness::test
