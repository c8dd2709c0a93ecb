// *.emb.h5 and *.scores.h5: what is written is read, what is damaged is named, contracts are kept apart.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "core/embeddings.h"
#include "core/error.h"
#include "core/hdf5.h"
#include "core/scores.h"
#include "tests/eval/support.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness {
namespace {

using test::people;
using test::refusal;

TEST(EmbeddingFile, ComesBackEqual) {
  test::TempDir dir;
  EmbeddingArchive a = people(5, 3, 12, .5);
  test::fail_picture(a, 4);
  a.attributes.columns[0].codes[2] = 0;
  a.attributes.column("race", a.size()).code_of("asian");
  a.subjects[6] = -1;
  a.media.assign(a.size(), 7);
  a.save(dir / "a.emb.h5", IfExists::kRefuse);
  const EmbeddingArchive b = EmbeddingArchive::load(dir / "a.emb.h5");
  EXPECT_EQ(b.contract.to_json(), a.contract.to_json());
  EXPECT_EQ(b.contract.difference(a.contract), "");
  EXPECT_EQ(b.embeddings, a.embeddings);
  EXPECT_EQ(b.dimension, a.dimension);
  EXPECT_EQ(b.norms, a.norms);
  EXPECT_EQ(b.failed, a.failed);
  EXPECT_EQ(b.keys, a.keys);
  EXPECT_EQ(b.subjects, a.subjects);
  EXPECT_EQ(b.subject_names, a.subject_names);
  EXPECT_EQ(b.media, a.media);
  EXPECT_TRUE(b.templates.empty());
  EXPECT_EQ(b.data_digest, a.data_digest);
  ASSERT_EQ(b.attributes.columns.size(), 2u);
  EXPECT_EQ(b.attributes.columns[0].codes, a.attributes.columns[0].codes);
  EXPECT_EQ(b.attributes.columns[0].text(0), "female");
  EXPECT_EQ(b.attributes.columns[0].text(2), "");
}

TEST(EmbeddingFile, IsNotOverwrittenByAccident) {
  test::TempDir dir;
  people(2, 2, 4, .5).save(dir / "a.emb.h5", IfExists::kRefuse);
  refusal([&] { people(3, 2, 4, .5).save(dir / "a.emb.h5", IfExists::kRefuse); }, ErrorKind::kUsage);
  people(3, 2, 4, .5).save(dir / "a.emb.h5", IfExists::kReplace);
  EXPECT_EQ(EmbeddingArchive::load(dir / "a.emb.h5").size(), 6u);
}

TEST(EmbeddingFile, NotFiniteIsNamedAndLeavesNoFile) {
  test::TempDir dir;
  EmbeddingArchive a = people(5, 3, 12, .5);
  a.embeddings[7 * 12 + 5] = std::numeric_limits<float>::quiet_NaN();
  const std::string m = refusal([&] { a.save(dir / "a.emb.h5", IfExists::kRefuse); });
  EXPECT_NE(m.find("row 7 (images/person_2/person_2_0002.jpg)"), std::string::npos) << m;
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(EmbeddingFile, TruncatedAtAnyPlaceIsAnErrorNotACrash) {
  test::TempDir dir;
  people(40, 3, 64, .5).save(dir / "a.emb.h5", IfExists::kRefuse);
  const auto size = std::filesystem::file_size(dir / "a.emb.h5");
  for (int tenth = 0; tenth < 10; ++tenth) {
    std::filesystem::copy_file(dir / "a.emb.h5", dir / "cut.emb.h5", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(dir / "cut.emb.h5", size * static_cast<std::uintmax_t>(tenth) / 10);
    const std::string m = refusal([&] { EmbeddingArchive::load(dir / "cut.emb.h5"); });
    EXPECT_NE(m.find("cut.emb.h5"), std::string::npos) << m;
  }
  refusal([&] { EmbeddingArchive::load(dir / "missing.emb.h5"); });
}

TEST(EmbeddingFile, DamagedColumnsAreNamed) {
  test::TempDir dir;
  auto with = [&](const std::function<void(h5::File&)>& damage) {
    EmbeddingArchive a = people(3, 2, 4, .5);
    h5::File f = h5::File::create(dir / "d.emb.h5");
    f.set_attribute("format", std::string("likeness.embeddings"));
    f.set_attribute("format_version", std::int64_t{1});
    f.set_attribute("contract", a.contract.to_json());
    f.set_attribute("data_digest", std::string("x"));
    f.write("embeddings", a.embeddings.data(), {6, 4});
    damage(f);
    f.close();
    return refusal([&] { EmbeddingArchive::load(dir / "d.emb.h5"); });
  };
  EXPECT_NE(with([](h5::File&) {}).find("norms"), std::string::npos);
  EXPECT_NE(with([](h5::File& f) { f.write("norms", std::vector<float>(5)); }).find("norms"), std::string::npos);
  const std::string subject = with([](h5::File& f) {
    f.write("norms", std::vector<float>(6));
    f.write("failed", std::vector<std::uint8_t>(6));
    f.write_strings("key", std::vector<std::string>(6, "k"));
    f.write("subject", std::vector<std::int64_t>{0, 0, 0, 0, 0, 9});
    f.write_strings("subject_names", {"one"});
  });
  EXPECT_NE(subject.find("subject"), std::string::npos) << subject;
  EXPECT_NE(with([](h5::File& f) { f.set_attribute("format_version", std::int64_t{2}); }).find("version"),
            std::string::npos);
  EXPECT_NE(with([](h5::File& f) { f.set_attribute("format", std::string("likeness.faces")); }).find("likeness.faces"),
            std::string::npos);
  EXPECT_NE(with([](h5::File& f) { f.set_attribute("contract", std::string("{}")); }).find("contract"),
            std::string::npos);
}

TEST(Contract, DifferencesAreSaidInWords) {
  const EmbeddingArchive a = people(2, 2, 4, .5);
  ModelContract other = a.contract;
  EXPECT_EQ(a.contract.difference(other), "");
  other.flip = "sum";
  EXPECT_NE(a.contract.difference(other).find("flip"), std::string::npos);
  other = a.contract;
  other.weights_hash = "else";
  EXPECT_NE(a.contract.difference(other).find("weights"), std::string::npos);
}

ScoreArchive some_scores() {
  ScoreArchive s;
  s.scores = {.5, -.25, std::numeric_limits<double>::quiet_NaN(), 1.0 / 3};
  s.genuine = {1, 0, 0, 1};
  s.subject_a = {0, 0, 1, 1};
  s.subject_b = {0, 1, 0, 1};
  s.fold = {0, 0, 1, 1};
  s.subject_ids = {hash_subject("A", "k"), hash_subject("B", "k")};
  AttributeColumn& gender = s.subject_attributes.column("gender", 2);
  gender.codes[1] = gender.code_of("male");
  s.protocol = "csv pairs";
  s.trial_digest = "0123";
  s.contract_json = people(1, 1, 4, 0).contract.to_json();
  return s;
}

TEST(ScoreFile, ComesBackEqual) {
  test::TempDir dir;
  const ScoreArchive a = some_scores();
  a.save(dir / "a.scores.h5", IfExists::kRefuse);
  const ScoreArchive b = ScoreArchive::load(dir / "a.scores.h5");
  ASSERT_EQ(b.size(), a.size());
  for (std::size_t p : {0u, 1u, 3u}) EXPECT_EQ(b.scores[p], a.scores[p]);
  EXPECT_TRUE(std::isnan(b.scores[2]));
  EXPECT_EQ(b.genuine, a.genuine);
  EXPECT_EQ(b.subject_a, a.subject_a);
  EXPECT_EQ(b.subject_b, a.subject_b);
  EXPECT_EQ(b.fold, a.fold);
  EXPECT_EQ(b.subject_ids, a.subject_ids);
  EXPECT_EQ(b.protocol, a.protocol);
  EXPECT_EQ(b.trial_digest, a.trial_digest);
  EXPECT_EQ(b.contract_json, a.contract_json);
  EXPECT_EQ(b.subject_attributes.columns[0].text(1), "male");
}

TEST(ScoreFile, BadFilesAreNamed) {
  test::TempDir dir;
  ScoreArchive a = some_scores();
  a.scores[1] = 1.5;
  a.save(dir / "a.scores.h5", IfExists::kRefuse);
  EXPECT_NE(refusal([&] { ScoreArchive::load(dir / "a.scores.h5"); }).find("pair 1"), std::string::npos);
  a = some_scores();
  a.subject_b[3] = 2;
  a.save(dir / "a.scores.h5", IfExists::kReplace);
  EXPECT_NE(refusal([&] { ScoreArchive::load(dir / "a.scores.h5"); }).find("subject_b"), std::string::npos);
  people(2, 2, 4, .5).save(dir / "a.emb.h5", IfExists::kRefuse);
  EXPECT_NE(refusal([&] { ScoreArchive::load(dir / "a.emb.h5"); }).find("likeness.embeddings"), std::string::npos);
}

TEST(HashSubject, DependsOnKeyAndNameAndTheirBorder) {
  EXPECT_EQ(hash_subject("A", "key").size(), 32u);
  EXPECT_EQ(hash_subject("A", "key"), hash_subject("A", "key"));
  EXPECT_NE(hash_subject("A", "key"), hash_subject("B", "key"));
  EXPECT_NE(hash_subject("A", "key"), hash_subject("A", "kez"));
  EXPECT_NE(hash_subject("bA", "key"), hash_subject("A", "keyb"));
  refusal([] { hash_subject("A", ""); }, ErrorKind::kUsage);
}

TEST(Attributes, CodesAndTexts) {
  AttributeColumn c{"race", {}, {0, 0, 0}};
  c.codes[1] = c.code_of("asian");
  c.codes[2] = c.code_of("asian") | c.code_of("black");
  EXPECT_EQ(c.text(0), "");
  EXPECT_EQ(c.text(1), "asian");
  EXPECT_EQ(c.text(2), "asian+black");
  for (int k = 2; k < 64; ++k) c.code_of(std::to_string(k));
  refusal([&] { c.code_of("one too many"); });
  EXPECT_EQ(c.code_of("black"), 2u);
  AttributeTable t;
  EXPECT_EQ(t.find("x"), nullptr);
  EXPECT_EQ(t.column("x", 4).codes.size(), 4u);
  EXPECT_EQ(&t.column("x", 4), t.find("x"));
}

// h5py opens both files with a dozen lines and no library of ours.
TEST(Archives, AreReadableWithH5py) {
  const std::string python = (test::source_dir() / ".deps/python/bin/python3").string();
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "skipped: scripts/setup.sh --crosscheck";
  test::TempDir dir;
  people(5, 3, 12, .5).save(dir / "a.emb.h5", IfExists::kRefuse);
  some_scores().save(dir / "a.scores.h5", IfExists::kRefuse);
  std::ofstream(dir / "read.py")
      << "import h5py, json, sys\n"
         "e = h5py.File(sys.argv[1]); s = h5py.File(sys.argv[2])\n"
         "assert e.attrs['format'] == 'likeness.embeddings' and e.attrs['format_version'] == 1\n"
         "assert e['embeddings'].shape == (15, 12) and e['embeddings'].dtype == 'f4'\n"
         "assert json.loads(e.attrs['contract'])['flip'] == 'none'\n"
         "assert e['key'].asstr()[3] == 'images/person_1/person_1_0001.jpg'\n"
         "assert e['attributes/gender/category'].asstr()[:].tolist() == ['female', 'male']\n"
         "assert e['attributes/gender/code'][3] == 2 and e['subject'][3] == 1\n"
         "assert s['score'].dtype == 'f8' and s['score'][0] == .5 and len(s['subject_id'].asstr()[1]) == 32\n";
  const auto r = test::run_process(
      python, {(dir / "read.py").string(), (dir / "a.emb.h5").string(), (dir / "a.scores.h5").string()});
  EXPECT_EQ(r.exit_code, 0) << r.err;
}

}  // namespace
}  // namespace likeness
