// The convention `insightface` against what its evaluate() returned: counts and indices exact, reals to 1e-12.
#include "eval/metrics/insightface.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "eval/metrics/curve.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

using test::Npz;

std::vector<std::uint8_t> classes(const Npz& z, const std::string& prefix) {
  std::vector<std::uint8_t> out;
  for (std::int64_t v : z.at(prefix + "issame").as_int()) out.push_back(v != 0);
  return out;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want, const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-12) << what << "[" << i << "]";
}

void check_reference(const Npz& z, const std::string& prefix, const std::vector<float>& embeddings, std::int64_t dimension,
                     const std::vector<std::int64_t>& rows) {
  const auto genuine = classes(z, prefix);
  std::vector<std::int64_t> a, b;
  for (std::size_t p = 0; p < genuine.size(); ++p) a.push_back(rows[2 * p]), b.push_back(rows[2 * p + 1]);
  const auto d = squared_distances(embeddings, dimension, a, b, 1);
  expect_near(d, z.at(prefix + "dist").as_double(), "dist");
  EXPECT_EQ(d, squared_distances(embeddings, dimension, a, b, 3)) << "threads must not matter";

  const auto ends = contiguous_folds(static_cast<std::int64_t>(d.size()), 10);
  const InsightfaceResult r = insightface_folds(d, genuine, ends, 1e-3, "test");
  const auto best = z.at(prefix + "best_index").as_int();
  const auto accuracy = z.at(prefix + "accuracy").as_double(), val = z.at(prefix + "val_fold").as_double(),
             far = z.at(prefix + "far_fold").as_double(), thresholds = z.at(prefix + "val_threshold").as_double();
  ASSERT_EQ(r.folds.size(), 10u);
  for (std::size_t f = 0; f < 10; ++f) {
    const InsightfaceFold& fold = r.folds[f];
    EXPECT_EQ(fold.best_index, best[f]) << "fold " << f;
    EXPECT_EQ(fold.correct, std::llround(accuracy[f] * static_cast<double>(fold.end - fold.begin)));
    EXPECT_NEAR(fold.accuracy, accuracy[f], 1e-12);
    EXPECT_NEAR(fold.val_threshold, thresholds[f], 1e-12);
    EXPECT_NEAR(fold.val, val[f], 1e-12);
    EXPECT_NEAR(fold.far, far[f], 1e-12);
  }
  EXPECT_NEAR(r.accuracy_mean, z.at(prefix + "acc_mean").scalar(), 1e-12);
  EXPECT_NEAR(r.accuracy_std, z.at(prefix + "acc_std").scalar(), 1e-12);
  EXPECT_NEAR(r.val_mean, z.at(prefix + "val").scalar(), 1e-12);
  EXPECT_NEAR(r.val_std, z.at(prefix + "val_std").scalar(), 1e-12);
  EXPECT_NEAR(r.far_mean, z.at(prefix + "far").scalar(), 1e-12);
  expect_near(r.tpr, z.at(prefix + "tpr").as_double(), "tpr");
  expect_near(r.fpr, z.at(prefix + "fpr").as_double(), "fpr");
}

// On the cosine: AUC, EER, d' and the largest TAR with FMR <= target.
void check_curve(const Npz& z, const std::string& prefix) {
  const auto cosine = z.at(prefix + "cosine").as_double();
  const auto genuine = classes(z, prefix);
  const Curve c = make_curve(cosine, genuine);
  EXPECT_NEAR(auc(c).value, z.at(prefix + "auc").scalar(), 1e-12);
  const Eer eer = equal_error_rate(c);
  EXPECT_NEAR(eer.value, z.at(prefix + "eer").scalar(), 1e-12);
  EXPECT_NEAR(eer.at.threshold, z.at(prefix + "eer_thr").scalar(), 1e-12);
  Moments m[2];
  for (std::size_t p = 0; p < cosine.size(); ++p) m[genuine[p]].add(cosine[p]);
  EXPECT_NEAR(d_prime(m[1], m[0]), z.at(prefix + "dprime_ddof0").scalar(), 1e-12 * 1e1);
  const auto targets = z.at("targets").as_double(), tpr = z.at(prefix + "tpr_le").as_double(), fpr = z.at(prefix + "fpr_le").as_double(),
             threshold = z.at(prefix + "thr_le").as_double();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const OperatingPoint p = at_fmr(c, targets[t]);
    EXPECT_EQ(p.tar(), tpr[t]) << targets[t];
    EXPECT_EQ(p.fmr(), fpr[t]) << targets[t];
    EXPECT_LE(p.threshold, threshold[t]) << "the reference names the lowest accepted score";
    EXPECT_EQ(at_threshold(c, threshold[t]).genuine_accepted, p.genuine_accepted);
  }
}

class Synthetic : public testing::TestWithParam<const char*> {};

TEST_P(Synthetic, EqualsTheReference) {
  const Npz z(test::golden("eval/verification_" + std::string(GetParam()) + ".npz"));
  const auto& e = z.at("embeddings");
  std::vector<std::int64_t> rows(static_cast<std::size_t>(e.shape[0]));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  check_reference(z, "", e.as_float(), e.shape[1], rows);
  check_curve(z, "");
}
INSTANTIATE_TEST_SUITE_P(Insightface, Synthetic, testing::Values("cfp_like", "uneven", "easy"));

TEST(Insightface, LfwEqualsTheReference) {
  const char* goldens = std::getenv("LIKENESS_GOLDENS");
  if (goldens == nullptr) GTEST_SKIP() << "skipped: set LIKENESS_GOLDENS";
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const Npz z(std::filesystem::path(goldens) / "verification.npz");
  const Npz stored(*test::faces() / "third-party/lfw-embeddings.npz");
  const auto& e = stored.at("embedding");
  check_reference(z, "lfw.", e.as_float(), e.shape[1], z.at("lfw.rows").as_int());
  check_curve(z, "lfw.");
}

TEST(Insightface, AcceptsStrictlyBelowTheGridPoint) {
  // Distances exactly on grid points, as i * 0.01 in double. Best threshold over folds: the first that accepts .57 but not .58.
  const std::vector<double> d = {57 * 0.01, 58 * 0.01, 57 * 0.01, 58 * 0.01};
  const std::vector<std::uint8_t> g = {1, 0, 1, 0};
  const auto r = insightface_folds(d, g, contiguous_folds(4, 2), 1e-3, "test");
  for (const auto& f : r.folds) {
    EXPECT_EQ(f.best_index, 58) << "at .57 nothing is accepted, at .58 only .57 is";
    EXPECT_EQ(f.accuracy, 1);
  }
  EXPECT_EQ(r.tpr[57], 0);
  EXPECT_EQ(r.tpr[58], 1);
  EXPECT_EQ(r.fpr[58], 0);
  EXPECT_EQ(r.fpr[59], 1);
}

TEST(Insightface, FoldsAreContiguousAndTheFirstAreLonger) {
  EXPECT_EQ(contiguous_folds(1003, 10), (std::vector<std::int64_t>{101, 202, 303, 403, 503, 603, 703, 803, 903, 1003}));
  EXPECT_EQ(contiguous_folds(6000, 10).back(), 6000);
}

TEST(Insightface, AFoldWithOneClassIsNamed) {
  const std::vector<double> d = {.1, 3, .1, .2, .1, 3};
  const std::vector<std::uint8_t> g = {1, 0, 1, 1, 1, 0};
  try {
    insightface_folds(d, g, contiguous_folds(6, 3), 1e-3, "pairs.txt");
    FAIL() << "a fold without impostors was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(e.what()).find("pairs.txt, fold 2 of 3"), std::string::npos) << e.what();
  }
  EXPECT_THROW(insightface_folds(d, g, contiguous_folds(6, 1), 1e-3, "x"), Error);
}

}  // namespace
}  // namespace likeness::eval
