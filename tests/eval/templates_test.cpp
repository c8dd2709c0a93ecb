// Pooling by IJB's rules, its lists, and tables of templates and roles.
#include "eval/templates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "eval/identify.h"
#include "eval/verify.h"
#include "tests/eval/support.h"
#include "tests/support/errors.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

// Pictures of the golden protocol, in the order of its lists: "1.jpg" is row 0.
EmbeddingArchive golden_pictures(bool flip) {
  const test::Npz z(test::golden("eval/ijb_pictures.npz"));
  EmbeddingArchive a = test::people(1, 1, 32, 0);
  a.contract.flip = flip ? "sum" : "none";
  a.embeddings = z.at("embs").as_float();
  const auto mirrored = z.at("embs_f").as_float();
  for (std::size_t i = 0; flip && i < mirrored.size(); ++i) a.embeddings[i] += mirrored[i];
  const auto n = static_cast<std::size_t>(z.at("embs").shape[0]);
  a.keys.clear(), a.attributes.columns.clear();
  for (std::size_t i = 0; i < n; ++i) a.keys.push_back("loose_crop/" + std::to_string(i + 1) + ".jpg");
  a.failed.assign(n, 0), a.subjects.assign(n, -1), a.norms.assign(n, 1);
  return a;
}

struct Golden {
  test::Npz z{test::golden("eval/ijb_templates.npz")};
  IjbFiles files = find_ijb_files(test::golden("eval/ijb_meta"));
  TemplateList templates(const SetIndex& set) const {
    TemplateList list = read_ijb_templates(files.templates, set);
    read_ijb_scores(files.scores, set, list);
    return list;
  }
};

TEST(Pool, EqualsTheReferenceUnderEverySwitch) {
  const Golden g;
  for (int flip : {0, 1}) {
    const EmbeddingArchive pictures = golden_pictures(flip);
    const TemplateList list = g.templates(SetIndex::of(pictures));
    for (int removed : {0, 1})
      for (int weight : {0, 1}) {
        const EmbeddingArchive t =
            pool(pictures, list, {.keep_norms = removed == 0, .detector_weight = weight == 1}, 2);
        const std::string name =
            "N" + std::to_string(removed) + "D" + std::to_string(weight) + "F" + std::to_string(flip);
        const auto want = g.z.at(name + ".template_features").as_double();
        const auto ids = g.z.at("unique_templates").as_int();
        ASSERT_EQ(t.size(), ids.size());
        double worst = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) {
          const auto found = std::find(t.keys.begin(), t.keys.end(), std::to_string(ids[i]));
          ASSERT_NE(found, t.keys.end()) << ids[i];
          const auto row = static_cast<std::size_t>(found - t.keys.begin());
          for (std::size_t k = 0; k < 32; ++k)
            worst = std::max(
                worst, std::abs(static_cast<double>(t.embeddings[row * 32 + k]) / static_cast<double>(t.norms[row]) -
                                want[i * 32 + k]));
        }
        EXPECT_LT(worst, 2e-6) << name;
        const Result r = verify(t, read_ijb_pairs(g.files.pairs, list), {.threads = 2, .plots = false});
        EXPECT_NEAR(*r.metrics.at("auc").value, g.z.at(name + ".auc").scalar(), 5e-6) << name;
        EXPECT_EQ(r.data.at("genuine"), 120);
      }
  }
}

TEST(Pool, ScoresOfPairsEqualTheReference) {
  const Golden g;
  const EmbeddingArchive pictures = golden_pictures(true);
  const TemplateList list = g.templates(SetIndex::of(pictures));
  const EmbeddingArchive t = pool(pictures, list, {.detector_weight = true}, 1);
  const Trials trials = read_ijb_pairs(g.files.pairs, list);
  const Cosines c(t, "golden");
  const auto want = g.z.at("N0D1F1.score").as_double();
  ASSERT_EQ(trials.pairs.size(), want.size());
  for (std::size_t p = 0; p < want.size(); ++p)
    ASSERT_NEAR(c.score(trials.pairs[p].a, trials.pairs[p].b), want[p], 2e-6) << p;
}

TEST(Pool, IdentificationEqualsTheReference) {
  const Golden g;
  const EmbeddingArchive pictures = golden_pictures(true);
  const TemplateList list = g.templates(SetIndex::of(pictures));
  const Enrolment e = read_ijb_roles(g.files.galleries, g.files.probes, list);
  ASSERT_EQ(e.galleries.size(), 2u);
  EXPECT_EQ(e.galleries[0].name, "G1");
  const EmbeddingArchive t = pool(pictures, e.templates, {.detector_weight = true}, 1);
  for (std::size_t k = 0; k < 2; ++k) {
    const std::string name = "gallery" + std::to_string(k + 1);
    const auto counts = g.z.at(name + ".top1_5_10_count").as_int();
    const auto thresholds = g.z.at(name + ".thresholds").as_double();
    for (std::size_t i = 0; i < thresholds.size(); ++i) {
      const Result r = identify(t, e, {}, {.at = {{OperatingTarget::Kind::kThreshold, thresholds[i]}}}).result;
      ASSERT_EQ(r.groups.size(), 2u);
      const auto& metrics = r.groups[k].metrics;
      EXPECT_EQ(metrics.at("rank1").numerator, counts[0]);
      EXPECT_EQ(metrics.at("rank5").numerator, counts[1]);
      EXPECT_EQ(metrics.at("rank10").numerator, counts[2]);
      EXPECT_EQ(metrics.at("rank1").denominator, g.z.at(name + ".mated").as_int()[0]);
      EXPECT_NEAR(*metrics.at("fnir@threshold").value, g.z.at(name + ".fnir_rank1_ge").as_double()[i], 1e-12) << i;
      const auto &one = r.groups[0].metrics.at("rank1"), &two = r.groups[1].metrics.at("rank1");
      EXPECT_NEAR(*r.metrics.at("rank1").value, (*one.value + *two.value) / 2, 1e-15);
      EXPECT_EQ(r.metrics.at("rank1").denominator, *one.denominator + *two.denominator);
    }
  }
}

// Media A = {(1,0), (0,1)}, B = {(2,0)}: mean (.5,.5) and (2,0), sum (2.5,.5); flat (1,1/3); weighted by .5 .5 1:
// (2.25,.25).
TEST(Pool, ByHand) {
  EmbeddingArchive a = test::people(1, 4, 2, 0);
  a.embeddings = {1, 0, 0, 1, 2, 0, 9, 9};
  TemplateList list;
  list.names = {"t", "u"}, list.subjects = {0, 0}, list.subject_names = {"p"};
  list.faces = {{0, 0, 7, .5}, {2, 0, 3, 1}, {1, 0, 7, .5}, {3, 1, 1, 1}};
  list.has_weights = true;
  const auto direction = [&](const PoolOptions& o) {
    const EmbeddingArchive t = pool(a, list, o, 1);
    return std::pair(t.embeddings[0] / t.norms[0], t.embeddings[1] / t.norms[0]);
  };
  EXPECT_NEAR(direction({}).first, .98058, 1e-5);
  EXPECT_NEAR(direction({.by_media = false}).second, .31623, 1e-5);
  EXPECT_NEAR(direction({.detector_weight = true}).second, .11043, 1e-5);
  EXPECT_NEAR(direction({.keep_norms = false}).second, .5 / std::hypot(1.5, .5), 1e-6);
  a.failed[3] = 1;
  EXPECT_EQ(pool(a, list, {}, 1).failed, (std::vector<std::uint8_t>{0, 1}))
      << "a template of nothing but failed pictures failed";
  list.has_weights = false;
  EXPECT_EQ(test::error_of([&] { pool(a, list, {.detector_weight = true}, 1); }).kind(), ErrorKind::kUsage);
}

class Lists : public testing::Test {
 protected:
  test::TempDir dir;
  EmbeddingArchive archive = test::people(6, 3, 8, .4);
  SetIndex set = SetIndex::of(archive);
  std::filesystem::path write(const std::string& text) {
    std::ofstream(dir / "list") << text;
    return dir / "list";
  }
  void refuse_roles(const std::string& text, const std::string& expect) {
    const std::string got = test::refusal([&] { read_roles(write(text), set); });
    EXPECT_NE(got.find(expect), std::string::npos) << got;
  }
};

TEST_F(Lists, RolesAreRead) {
  const Enrolment e = read_roles(write("picture,template,media,role\n"
                                       "person_0_0001,g0,,gallery\nperson_0_0002,g0,,gallery\nperson_1_0001,g1,,"
                                       "gallery\nperson_1_0002,g1b,,gallery\n"
                                       "person_0_0003,p0,,probe\nperson_2_0001,p2,v,probe\nperson_2_0002,p2,v,"
                                       "probe\nperson_3_0001,d,,distractor\nperson_4_0001,x,,none\n"),
                                 set);
  ASSERT_EQ(e.galleries.size(), 1u);
  EXPECT_EQ(e.galleries[0].entries.size(), 3u);
  EXPECT_EQ(e.probes.size(), 2u);
  EXPECT_EQ(e.distractors.size(), 1u);
  EXPECT_EQ(e.templates.subject_names[static_cast<std::size_t>(e.templates.subjects[0])], "person 0");
  Enrolment fused = e;
  fuse_galleries(fused);
  EXPECT_EQ(fused.galleries[0].entries.size(), 2u);
  EXPECT_EQ(fused.templates.size(), e.templates.size() + 1);
  const EmbeddingArchive entries = pool(archive, fused.templates, {}, 1);
  EXPECT_EQ(identify(entries, fused, {}, {}).result.metrics.at("rank1").denominator, 1) << "person 2 is not enrolled";
  const Enrolment two = read_roles(
      write("media,subject,role\nperson_0_0001,a,gallery:G1\nperson_1_0001,b,gallery:G2\nperson_0_0002,a,probe\n"),
      set);
  EXPECT_EQ(two.galleries.size(), 2u);
  EXPECT_EQ(two.galleries[1].name, "G2");
}

TEST_F(Lists, FirstPictureHoldsOutBySeedAndName) {
  const auto gallery = [&](double share, std::uint64_t seed) {
    return first_picture(set, {.held_out = share, .seed = seed}).galleries[0].entries;
  };
  EXPECT_EQ(gallery(0, 1).size(), 6u);
  EXPECT_EQ(gallery(.5, 1).size(), 3u);
  EXPECT_EQ(gallery(.5, 1), gallery(.5, 1));
  int differ = 0;
  for (std::uint64_t seed = 2; seed < 8; ++seed) differ += gallery(.5, seed) != gallery(.5, 1);
  EXPECT_GT(differ, 0);
  EXPECT_EQ(test::error_of([&] { gallery(1, 1); }).kind(), ErrorKind::kUsage);
  EXPECT_NE(first_picture(set, {.seed = 1}).digest, first_picture(set, {.held_out = .5, .seed = 1}).digest);
}

TEST_F(Lists, BadRolesAreNamed) {
  refuse_roles("picture,role\nperson_9_0001,gallery\n", "person_9_0001");
  refuse_roles("picture,role\nperson_0_0001,galery\n", "galery");
  refuse_roles("picture,subject\nperson_0_0001,a\n", "role");
  refuse_roles("picture,role\nperson_0_0001,probe\n", "gallery is empty");
  refuse_roles("picture,role\nperson_0_0001,gallery\n", "no probes");
  refuse_roles("picture,role\n", "empty");
  refuse_roles("picture,rolle,role\nperson_0_0001,x,probe\n", "rolle");
  refuse_roles("picture,template,role\nperson_0_0001,t,gallery\nperson_1_0001,t,gallery\n", "two people");
  refuse_roles("picture,template,role\nperson_0_0001,t,gallery\nperson_0_0002,t,probe\n", "two roles");
  archive.subjects[5] = -1;
  set = SetIndex::of(archive);
  refuse_roles("picture,role\nperson_0_0001,gallery\nperson_1_0003,probe\n", "unknown");
  const std::string all = test::refusal([&] { first_picture(set, {}); });
  EXPECT_NE(all.find("person_1_0003"), std::string::npos) << all;
}

TEST_F(Lists, BadIjbListsAreNamed) {
  const auto templates = [&](const std::string& text) { return read_ijb_templates(write(text), set); };
  const auto refuse = [](const auto& act, const std::string& expect) {
    const std::string got = test::refusal(act);
    EXPECT_NE(got.find(expect), std::string::npos) << got;
  };
  const TemplateList good = templates("person_0_0001.jpg 10 1\r\nperson_0_0002.jpg 10 1\n\nperson_1_0001.jpg 7 2");
  EXPECT_EQ(good.names, (std::vector<std::string>{"10", "7"}));
  refuse([&] { templates("person_0_0001.jpg 10\n"); }, "line 1");
  refuse([&] { templates("person_0_0001.jpg x 1\n"); }, "line 1");
  refuse([&] { templates("person_0_0001.jpg 1 1\nnobody.jpg 1 1\n"); }, "line 2");
  refuse([&] { templates(""); }, "empty");
  refuse([&] { read_ijb_pairs(write("10 7 0\n10 8 1\n"), good); }, "line 2");
  refuse([&] { read_ijb_pairs(write("10 7 2\n"), good); }, "line 1");
  refuse([&] { read_ijb_pairs(write("10 7 0\n"), good); }, "genuine");
  EXPECT_EQ(read_ijb_pairs(write("10 7 0\n10 10 1\n"), good).pairs.size(), 2u);
  TemplateList scored = good;
  const std::string ten = " 1 2 3 4 5 6 7 8 9 10 ";
  refuse([&] { read_ijb_scores(write("person_0_0001.jpg" + ten + "0.5\n"), set, scored); }, "person_0_0002");
  refuse([&] { read_ijb_scores(write("person_0_0001.jpg" + ten + "nan\n"), set, scored); }, "line 1");
  refuse([&] { read_ijb_roles({write("TEMPLATE_ID,SUBJECT_ID\n11,1\n")}, {}, good); }, "11");
  refuse([&] { read_ijb_roles({write("TEMPLATE_ID,SUBJECT_ID\nten,1\n")}, {}, good); }, "line 2");
  refuse([&] { find_ijb_files(dir.path()); }, "face_tid_mid");
  refuse([&] { find_ijb_files(dir / "nowhere"); }, "nowhere");
}

}  // namespace
}  // namespace likeness::eval
