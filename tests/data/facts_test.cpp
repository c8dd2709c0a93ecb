#include "data/facts.h"

#include <gtest/gtest.h>

#include "data/csv.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& path) {
  CsvReader csv(path);
  std::vector<std::vector<std::string>> rows = {csv.header()};
  for (std::vector<std::string> row; csv.next(row);) rows.push_back(row);
  return rows;
}

TEST(Csv, FieldsQuotesAndLineEnds) {
  TempDir dir;
  write_text(dir / "t.csv",
             "\xef\xbb\xbf"
             "a, b ,c\r\n1,,3\r\n\r\n\"x,\"\"y\"\"\",2 , z\n,,\n");
  EXPECT_EQ(rows_of(dir / "t.csv"), (std::vector<std::vector<std::string>>{
                                        {"a", "b", "c"}, {"1", "", "3"}, {"x,\"y\"", "2", "z"}, {"", "", ""}}));
  write_text(dir / "t.tsv", "a\tb\n1, 2\t\n");
  EXPECT_EQ(rows_of(dir / "t.tsv"), (std::vector<std::vector<std::string>>{{"a", "b"}, {"1, 2", ""}}));
}

TEST(Csv, MistakesNameTheLine) {
  TempDir dir;
  write_text(dir / "t.csv", "a,b\n1,2\n1,2,3\n");
  expect_part(error_of(ErrorKind::kData, [&] { rows_of(dir / "t.csv"); }).where, "t.csv, line 3");
  write_text(dir / "t.csv", "a,b\n\"1,2\n");
  expect_part(error_of(ErrorKind::kData, [&] { rows_of(dir / "t.csv"); }).where, "line 2");
  write_text(dir / "t.csv", "a,a\n");
  error_of(ErrorKind::kData, [&] { rows_of(dir / "t.csv"); });
  write_text(dir / "t.csv", "");
  error_of(ErrorKind::kData, [&] { rows_of(dir / "t.csv"); });
}

class Facts : public ::testing::Test {
 protected:
  void SetUp() override {
    write_folder(dir_ / "set/images", 3, 2);
    source_ = open_faces(dir_ / "set");
  }
  AttributeTable attributes(const std::string& text) {
    write_text(dir_ / "set/t.csv", text);
    return read_attributes(*source_, dir_ / "set/t.csv", report_);
  }
  std::string refusal(const std::string& text) {
    write_text(dir_ / "set/t.csv", text);
    const auto parts = error_of(ErrorKind::kData, [&] { read_attributes(*source_, dir_ / "set/t.csv", report_); });
    return parts.where + " | " + parts.what;
  }
  TempDir dir_;
  std::unique_ptr<FaceSource> source_;
  JoinReport report_;
};

TEST_F(Facts, ByIdentity) {
  const auto t = attributes("identity,gender,race\nperson0,female,\nperson2,male,a+b\nnobody,male,a\n");
  EXPECT_EQ(report_.by, "identity");
  EXPECT_EQ(report_.rows, 3);
  EXPECT_EQ(report_.rows_without_picture, 1);
  EXPECT_EQ(report_.pictures_without_row, 2);
  ASSERT_EQ(t.columns.size(), 2u);
  EXPECT_EQ(t.find("gender")->text(1), "female");
  EXPECT_EQ(t.find("gender")->text(2), "");
  EXPECT_EQ(t.find("race")->text(0), "");
  EXPECT_EQ(t.find("race")->text(5), "a+b");
}

TEST_F(Facts, ByPathRelativeToTheTable) {
  // `identity` and `label` beside a path are names, not facts.
  const auto t =
      attributes("path,identity,label,young\nimages/person1/0.jpg,7,7,1\n./images/../images/person1/1.jpg,7,7,0\n");
  EXPECT_EQ(report_.by, "path");
  ASSERT_EQ(t.columns.size(), 1u);
  EXPECT_EQ(t.find("young")->text(2), "1");
  EXPECT_EQ(t.find("young")->text(3), "0");
  EXPECT_EQ(t.find("young")->text(0), "");
  write_text(dir_ / "elsewhere.csv", "path,young\nset/images/person0/0.jpg,1\n");
  EXPECT_EQ(read_attributes(*source_, dir_ / "elsewhere.csv", report_).find("young")->text(0), "1");
}

TEST_F(Facts, ByRecordNumber) {
  write_records(dir_ / "rec", {0, 1, 1});
  const auto source = open_faces(dir_ / "rec");
  write_text(dir_ / "t.csv", "key,label,male\n2,1,1\n0,0,0\n1,1,\n");
  const auto t = read_attributes(*source, dir_ / "t.csv", report_);
  EXPECT_EQ(report_.by, "key");
  EXPECT_EQ(t.find("gender")->text(0), "female");
  EXPECT_EQ(t.find("gender")->text(1), "");
  EXPECT_EQ(t.find("gender")->text(2), "male");
  EXPECT_EQ(t.find("male"), nullptr);
}

TEST_F(Facts, MaleBesideGenderStaysAsItIs) {
  const auto t = attributes("identity,gender,male\nperson0,female,0\n");
  EXPECT_EQ(t.find("male")->text(0), "0");
  EXPECT_EQ(t.find("gender")->text(0), "female");
}

TEST_F(Facts, MistakesAreNamed) {
  expect_part(refusal("name,gender\nx,y\n"), "does not say which pictures");
  expect_part(refusal("identity,gender\nx,y\n"), "no row of the table belongs to a picture");
  expect_part(refusal("identity,gender\nperson0,x\nperson0,y\n"), "line 3 | picture has two rows");
  expect_part(refusal("identity,a/b\nperson0,x\n"), "column 2");
  std::string many = "path,who\n";
  write_folder(dir_ / "many/images", 65, 1, 8);
  source_ = open_faces(dir_ / "many");
  for (int i = 0; i < 65; ++i)
    many += "../many/images/person" + std::to_string(i) + "/0.jpg,name" + std::to_string(i) + "\n";
  expect_part(refusal(many), "too many categories");
}

TEST_F(Facts, LandmarksAreTenNumbers) {
  write_text(dir_ / "set/l.csv", "path,a,b,c,d,e,f,g,h,i,j\nimages/person0/1.jpg,1,2,3,4,5,6,7,8,9,10.5\n");
  const auto points = read_landmarks(*source_, dir_ / "set/l.csv", report_);
  ASSERT_EQ(points.size(), 6u);
  EXPECT_FALSE(points[0]);
  ASSERT_TRUE(points[1]);
  EXPECT_EQ((*points[1])[4].y, 10.5);
  EXPECT_EQ((*points[1])[1].x, 3);
  EXPECT_EQ(report_.pictures_without_row, 5);
  for (const char* bad :
       {"path,a\nimages/person0/1.jpg,1\n", "path,a,b,c,d,e,f,g,h,i,j\nimages/person0/1.jpg,1,2,3,4,5,6,7,8,9,nan\n",
        "path,a,b,c,d,e,f,g,h,i,j\nimages/person0/1.jpg,1,2,3,4,5,6,7,8,9,\n"}) {
    write_text(dir_ / "set/l.csv", bad);
    error_of(ErrorKind::kData, [&] { read_landmarks(*source_, dir_ / "set/l.csv", report_); });
  }
}

TEST_F(Facts, AFoldersOrderIsThatOfSortedNames) {
  EXPECT_EQ(source_->key(0), "images/person0/0.jpg");
  EXPECT_EQ(source_->key(5), "images/person2/1.jpg");
  EXPECT_EQ(source_->identity_name(1), "person1");
  write_bytes(dir_ / "set/images/loose.jpg", small_jpeg(0));
  expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir_ / "set"); }).where, "loose.jpg");
}

}  // namespace
}  // namespace likeness::test
