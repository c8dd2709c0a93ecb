// verify() as a trainer or the verb calls it, and its JSON.
#include "eval/verify.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "eval/metrics/insightface.h"
#include "tests/eval/support.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

// The golden set as an archive: interleaved embeddings, two pictures per pair, no identities.
EmbeddingArchive golden_archive(const test::Npz& z) {
  EmbeddingArchive a;
  a.dimension = z.at("embeddings").shape[1];
  a.embeddings = z.at("embeddings").as_float();
  const auto n = static_cast<std::size_t>(z.at("embeddings").shape[0]);
  for (std::size_t i = 0; i < n; ++i) {
    const float* row = a.embeddings.data() + i * static_cast<std::size_t>(a.dimension);
    a.failed.push_back(std::all_of(row, row + a.dimension, [](float x) { return x == 0; }));
    a.norms.push_back(1);
    a.keys.push_back("picture " + std::to_string(i));
    a.subjects.push_back(-1);
  }
  return a;
}

Trials golden_trials(const test::Npz& z) {
  Trials t;
  t.protocol = "stored pairs", t.source = "golden";
  const auto same = z.at("issame").as_int();
  for (std::size_t p = 0; p < same.size(); ++p)
    t.pairs.push_back({static_cast<std::int64_t>(2 * p), static_cast<std::int64_t>(2 * p + 1), same[p] != 0});
  return t;
}

TEST(Verify, InsightfaceConventionOnStoredPairs) {
  for (const char* name : {"cfp_like", "uneven", "easy"}) {
    const test::Npz z(test::golden("eval/verification_" + std::string(name) + ".npz"));
    const Result r = verify(golden_archive(z), golden_trials(z), {.convention = Convention::kInsightface});
    EXPECT_NEAR(*r.metrics.at("accuracy").value, z.at("acc_mean").scalar(), 1e-12) << name;
    EXPECT_EQ(r.folds.size(), 10u);
    EXPECT_FALSE(r.metrics.at("val@far=1e-3").value) << "fewer than 1,000 training impostors cannot show an error in a thousand";
    if (std::string(name) == "uneven") continue;  // its zero vector is a picture without a face: no cosine
    EXPECT_NEAR(*r.metrics.at("auc").value, z.at("auc").scalar(), 1e-12);
    EXPECT_NEAR(*r.metrics.at("eer").value, z.at("eer").scalar(), 1e-12);
  }
}

TEST(Verify, SupportOfEachTarget) {
  const EmbeddingArchive a = test::people(40, 4, 24, 1.0);  // 160 pictures: 240 genuine, 12,480 impostor pairs
  const Result r = verify(a, all_trials(SetIndex::of(a)), {.at = {{OperatingTarget::Kind::kFmr, 1e-1}, {OperatingTarget::Kind::kFmr, 1e-3}, {OperatingTarget::Kind::kFmr, 1e-5}}});
  EXPECT_EQ(r.data.at("genuine"), 240);
  EXPECT_EQ(r.data.at("impostors"), 12'480);
  const Measure &wide = r.metrics.at("tar@fmr=1e-1"), &narrow = r.metrics.at("tar@fmr=1e-3"), &none = r.metrics.at("tar@fmr=1e-5");
  EXPECT_EQ(wide.denominator, 240);
  ASSERT_TRUE(wide.threshold && wide.low && wide.high);
  EXPECT_LT(*wide.low, *wide.value);
  EXPECT_EQ(narrow.status.support, Support::kProvisional);
  EXPECT_NE(narrow.status.why.find("12.5 errors expected"), std::string::npos) << narrow.status.why;
  EXPECT_EQ(none.status.support, Support::kSuppressed);
  EXPECT_FALSE(none.value);
  EXPECT_FALSE(none.threshold) << "a threshold that the data cannot support is not printed";
  EXPECT_EQ(*r.metrics.at("fnmr@fmr=1e-1").numerator, 240 - *wide.numerator);
}

TEST(Verify, FailedPicturesAreNonMatches) {
  EmbeddingArchive a = test::people(10, 2, 24, .1);
  const Trials t = all_trials(SetIndex::of(a));
  EXPECT_EQ(verify(a, t, {.at = {{OperatingTarget::Kind::kThreshold, .5}}}).metrics.at("fnmr@threshold").numerator, 0);
  test::fail_picture(a, 0);
  const Result r = verify(a, t, {.at = {{OperatingTarget::Kind::kThreshold, .5}}});
  EXPECT_EQ(r.metrics.at("fnmr@threshold").numerator, 1);
  EXPECT_EQ(r.metrics.at("fnmr@threshold").denominator, 10);
  EXPECT_EQ(r.metrics.at("fmr@threshold").denominator, 180);
  EXPECT_EQ(r.data.at("failed_pictures"), 1);
}

TEST(Verify, FoldColumnMakesTheFolds) {
  const EmbeddingArchive a = test::people(20, 2, 24, .3);
  Trials t;
  t.source = "test";
  for (std::int64_t p = 0; p < 20; ++p) {  // all genuine first: contiguous folds would have one class
    t.pairs.push_back({2 * p, 2 * p + 1, true});
    t.fold.push_back(static_cast<std::int32_t>(p % 4));
  }
  for (std::int64_t p = 0; p < 20; ++p) {
    t.pairs.push_back({2 * p, (2 * p + 3) % 40, false});
    t.fold.push_back(static_cast<std::int32_t>(p % 4));
  }
  const Result r = verify(a, t, {.convention = Convention::kInsightface});
  ASSERT_EQ(r.folds.size(), 4u);
  for (const FoldResult& f : r.folds) EXPECT_EQ(f.pairs, 10);
  t.fold.clear();
  EXPECT_THROW(verify(a, t, {.convention = Convention::kInsightface}), Error);
}

TEST(Verify, AllPairsHaveNoFolds) {
  const EmbeddingArchive a = test::people(4, 2, 8, .3);
  try {
    verify(a, all_trials(SetIndex::of(a)), {.convention = Convention::kInsightface});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  }
}

TEST(Verify, ResultsDoNotDependOnThreads) {
  const EmbeddingArchive a = test::people(150, 4, 32, .9);
  const Trials t = all_trials(SetIndex::of(a));
  EXPECT_EQ(verify(a, t, {.threads = 1}).to_json(), verify(a, t, {.threads = 4}).to_json());
}

TEST(Verify, TargetsAreReadStrictly) {
  EXPECT_EQ(parse_target("fmr=1e-3").name(), "fmr=1e-3");
  EXPECT_EQ(parse_target("fmr=0.001").name(), "fmr=1e-3") << "one name for one number";
  EXPECT_EQ(parse_target("fmr=0.025").name(), "fmr=0.025");
  EXPECT_EQ(parse_target("threshold=-0.25").value, -.25);
  for (const char* bad : {"fmr", "fmr=", "fmr=0", "fmr=1", "fmr=x", "fmr=1e-3x", "far=1e-3", "threshold=2"}) EXPECT_THROW(parse_target(bad), Error) << bad;
  EXPECT_EQ(parse_convention("insightface"), Convention::kInsightface);
  EXPECT_THROW(parse_convention("facenet"), Error);
}

TEST(ResultJson, ComesBackEqual) {
  const EmbeddingArchive a = test::people(60, 3, 24, .8);
  const Result r = verify(a, all_trials(SetIndex::of(a)), {});
  const nlohmann::json j = r.to_json();
  EXPECT_EQ(Result::from_json(j, "test").to_json(), j);
  EXPECT_EQ(j.at("schema"), "likeness.result/1");
  for (const auto& [name, m] : j.at("metrics").items())
    for (const char* key : {"value", "low", "high", "numerator", "denominator", "status", "interval"}) EXPECT_TRUE(m.contains(key)) << name << " lacks " << key;
  for (const char* key : {"method", "level", "unit", "replicates", "seed"}) EXPECT_TRUE(j.at("metrics").at("tar@fmr=1e-1").at("interval").contains(key));
  EXPECT_NE(r.to_text().find("tar@fmr=1e-1"), std::string::npos);
}

TEST(ResultJson, StrangeFilesAreRefusedByName) {
  const EmbeddingArchive a = test::people(10, 2, 8, .5);
  nlohmann::json good = verify(a, all_trials(SetIndex::of(a)), {.plots = false}).to_json();
  auto refuse = [](const nlohmann::json& j, const char* expect) {
    try {
      Result::from_json(j, "x.json");
      ADD_FAILURE() << "accepted without " << expect;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData);
      EXPECT_NE(std::string(e.what()).find(expect), std::string::npos) << e.what();
    }
  };
  refuse(nlohmann::json::array(), "x.json");
  nlohmann::json j = good;
  j["schema"] = "likeness.result/2";
  refuse(j, "likeness.result/2");
  j = good;
  j["metrics"]["auc"].erase("status");
  refuse(j, "metrics, auc");
  j = good;
  j["metrics"]["auc"]["value"] = "high";
  refuse(j, "auc, value");
  j = good;
  j["groups"] = 3;
  refuse(j, "groups");
  test::TempDir dir;
  std::ofstream(dir / "broken.json") << "{";
  EXPECT_THROW(Result::load(dir / "broken.json"), Error);
}

TEST(ScoreFile, HoldsEveryPairWithoutNames) {
  EmbeddingArchive a = test::people(6, 2, 16, .4);
  test::fail_picture(a, 3);
  const Trials t = all_trials(SetIndex::of(a));
  const ScoreArchive s = score_archive(a, t, "secret", 2);
  EXPECT_EQ(s.size(), 66u);
  EXPECT_EQ(s.subject_ids.size(), 6u);
  for (const std::string& id : s.subject_ids) EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(s.subject_ids[0], hash_subject("person 0", "secret"));
  EXPECT_NE(s.subject_ids[0], hash_subject("person 0", "another secret"));
  EXPECT_EQ(s.subject_attributes.columns[0].text(1), "male");
  EXPECT_EQ(std::count_if(s.scores.begin(), s.scores.end(), [](double x) { return std::isnan(x); }), 11);
  const Cosines c(a, "test");
  EXPECT_EQ(s.scores[0], c.score(0, 1));
  EXPECT_EQ(s.trial_digest, t.digest);
  EXPECT_THROW(score_archive(a, t, "", 1), Error) << "an empty key hides nothing";
}

}  // namespace
}  // namespace likeness::eval
