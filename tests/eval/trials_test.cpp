// Lists of pairs: every line counts, names are matched robustly, and whatever is wrong is named with its line.
#include "eval/trials.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/eval/support.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

using test::refusal;

std::filesystem::path write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// LFW's layout: `folds` of `each` genuine and `each` impostor pairs over 20 people with 3 pictures.
std::string lfw_lines(int folds, int each) {
  std::string text;
  for (int f = 0; f < folds; ++f) {
    for (int p = 0; p < each; ++p) text += "person_" + std::to_string(p % 20) + "\t1\t" + std::to_string(2 + f % 2) + "\n";
    for (int p = 0; p < each; ++p) text += "person_" + std::to_string(p % 20) + "\t1\tperson_" + std::to_string((p + 1 + f) % 20) + "\t3\n";
  }
  return text;
}

class TrialsTest : public testing::Test {
 protected:
  test::TempDir dir;
  EmbeddingArchive archive = test::people(20, 3, 8, .5);
  SetIndex set = SetIndex::of(archive);
};

TEST_F(TrialsTest, SixThousandAndOneLinesAreSixThousandPairs) {
  const Trials t = read_trials(write(dir / "pairs.txt", "10\t300\n" + lfw_lines(10, 300)), set);
  EXPECT_EQ(t.pairs.size(), 6000u);
  EXPECT_EQ(t.genuine(), 3000);
  EXPECT_EQ(t.folds, 10);
  EXPECT_EQ(t.protocol, "lfw pairs");
  EXPECT_EQ(archive.keys[static_cast<std::size_t>(t.pairs[0].a)], "images/person_0/person_0_0001.jpg");
  EXPECT_EQ(archive.keys[static_cast<std::size_t>(t.pairs[0].b)], "images/person_0/person_0_0002.jpg");
}

TEST_F(TrialsTest, WithoutAHeaderNoLineIsLost) {
  const Trials t = read_trials(write(dir / "african_pairs.txt", lfw_lines(10, 300)), set);
  EXPECT_EQ(t.pairs.size(), 6000u);
}

TEST_F(TrialsTest, HeadersOfOtherViews) {
  EXPECT_EQ(read_trials(write(dir / "dev.txt", "30\n" + lfw_lines(1, 30)), set).pairs.size(), 60u);
  EXPECT_EQ(read_trials(write(dir / "five.txt", "5\t30\n" + lfw_lines(5, 30)), set).folds, 5);
}

TEST_F(TrialsTest, ACutFileIsNoticed) {
  std::string text = "10\t300\n" + lfw_lines(10, 300);
  text.resize(text.rfind('\n', text.size() - 2) + 1);
  const std::string m = refusal([&] { read_trials(write(dir / "cut.txt", text), set); });
  EXPECT_NE(m.find("6,000"), std::string::npos) << m;
  EXPECT_NE(m.find("5,999"), std::string::npos) << m;
}

TEST_F(TrialsTest, MissingPicturesAreNamedWithTheirLine) {
  const std::string m = refusal([&] { read_trials(write(dir / "p.txt", "person_1\t1\t2\nperson_1\t1\tperson_77\t1\n"), set); });
  EXPECT_NE(m.find("p.txt, line 2"), std::string::npos) << m;
  EXPECT_NE(m.find("person_77_0001"), std::string::npos) << m;
}

TEST_F(TrialsTest, MalformedLinesAreNamed) {
  for (const char* bad : {"person_1\t1\n", "person_1\tx\t2\n", "person_1 1 2 3 4\n", "person_1\t1\tperson_2\tq\n"}) {
    const std::string m = refusal([&] { read_trials(write(dir / "p.txt", std::string("person_1\t1\t2\n") + bad), set); });
    EXPECT_NE(m.find("line 2"), std::string::npos) << m;
  }
}

TEST_F(TrialsTest, NoPairsLeft) {
  for (const char* empty : {"", "\n\n", "a,b,label\n"}) {
    const std::string m = refusal([&] { read_trials(write(dir / "e.txt", empty), set); });
    EXPECT_NE(m.find("no pairs left"), std::string::npos) << m;
  }
  refusal([&] { read_trials(write(dir / "one.txt", "person_1\t1\t2\nperson_2\t1\t2\n"), set); });
  refusal([&] { read_trials(dir / "not-there.txt", set); });
}

TEST_F(TrialsTest, CsvInAnyShapeOfName) {
  const Trials t = read_trials(write(dir / "p.csv",
                                     "\xEF\xBB\xBF" "label,a,b,fold\r\n"
                                     "1,images/person_1/person_1_0001.jpg,person_1_0002,2\r\n"
                                     "0,person_1/person_1_0001.jpg,\"person_2_0001.png\",1\r\n"
                                     "same,./images/person_3/person_3_0001.jpg,person_3_0002.JPG,1\r\n"
                                     "-1,person_3_0001,person_4_0001,2\r\n"),
                               set);
  ASSERT_EQ(t.pairs.size(), 4u);
  EXPECT_EQ(t.genuine(), 2);
  EXPECT_EQ(t.fold, (std::vector<std::int32_t>{2, 1, 1, 2}));
  EXPECT_EQ(t.pairs[1].b, 6);
  EXPECT_EQ(t.protocol, "csv pairs");
}

TEST_F(TrialsTest, CsvMistakes) {
  const std::string m = refusal([&] { read_trials(write(dir / "p.csv", "x,y,label\n1,2,1\n"), set); });
  EXPECT_NE(m.find("a,b,label"), std::string::npos) << m;
  refusal([&] { read_trials(write(dir / "p.csv", "a,b,label\nperson_1_0001,person_1_0002,maybe\n"), set); });
  refusal([&] { read_trials(write(dir / "p.csv", "a,b,label\nperson_1_0001,person_1_0002\n"), set); });
  refusal([&] { read_trials(write(dir / "p.csv", "a,b,label,fold\nperson_1_0001,person_1_0002,1,x\n"), set); });
}

TEST_F(TrialsTest, AmbiguousNamesNeedTheirFolder) {
  EmbeddingArchive twice = test::people(2, 2, 8, .5);
  twice.keys = {"x/one.jpg", "y/one.jpg", "x/two.jpg", "m.0abc_0001"};
  const SetIndex index = SetIndex::of(twice);
  EXPECT_EQ(index.find("one.jpg"), SetIndex::kAmbiguous);
  EXPECT_EQ(index.find("y/one"), 1);
  EXPECT_EQ(index.find("two"), 2);
  EXPECT_EQ(index.find("m.0abc_0001.jpg"), 3) << "only a picture's extension is one";
  EXPECT_EQ(index.find("m"), SetIndex::kMissing);
}

TEST_F(TrialsTest, AllPairsNeedTwoPeopleAndTwoPicturesOfOne) {
  EXPECT_TRUE(all_trials(set).all);
  const EmbeddingArchive single = test::people(5, 1, 8, .5), one = test::people(1, 5, 8, .5);
  refusal([&] { all_trials(SetIndex::of(single)); });
  refusal([&] { all_trials(SetIndex::of(one)); });
  EmbeddingArchive unknown = archive;
  unknown.subjects[4] = -1;
  const std::string m = refusal([&] { all_trials(SetIndex::of(unknown)); });
  EXPECT_NE(m.find(unknown.keys[4]), std::string::npos) << m;
}

TEST_F(TrialsTest, RowsNeededAndRemapped) {
  const Trials t = read_trials(write(dir / "p.csv", "a,b,label\nperson_5_0001,person_5_0003,1\nperson_2_0001,person_5_0003,0\n"), set);
  const auto rows = needed_rows(t);
  EXPECT_EQ(rows, (std::vector<std::int64_t>{6, 15, 17}));
  const Trials r = remap(t, rows);
  EXPECT_EQ(r.pairs[0].a, 1);
  EXPECT_EQ(r.pairs[1].a, 0);
  EXPECT_EQ(r.pairs[1].b, 2);
  EXPECT_EQ(r.digest, t.digest);
}

TEST_F(TrialsTest, DigestTellsListsApart) {
  const Trials a = read_trials(write(dir / "a.csv", "a,b,label\nperson_1_0001,person_1_0002,1\nperson_1_0001,person_2_0001,0\n"), set);
  const Trials b = read_trials(write(dir / "b.csv", "a,b,label\nperson_1_0001,person_1_0002,0\nperson_1_0001,person_2_0001,1\n"), set);
  const Trials again = read_trials(write(dir / "c.csv", "a,b,same\nperson_1_0001.jpg,person_1_0002,true\nperson_1_0001,person_2_0001,false\n"), set);
  EXPECT_NE(a.digest, b.digest);
  EXPECT_EQ(a.digest, again.digest);
}

}  // namespace
}  // namespace likeness::eval
