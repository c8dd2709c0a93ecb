// search() against every score written out, and identify()'s rates against their definitions.
#include "eval/metrics/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "eval/identify.h"
#include "tests/eval/support.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

// 400 people: the first pictures of 300 enrolled (some with two entries), all else probes; another archive as
// distractors.
struct Crowd {
  EmbeddingArchive faces = test::people(400, 4, 24, 1.1), others = test::people(700, 1, 24, 1.0);
  std::vector<std::int64_t> gallery, gallery_people, probes, probe_people;
  Crowd() {
    // Copies make scores that are equal to the last bit: a distractor that is somebody's mate, and two entries alike.
    std::copy_n(faces.embeddings.begin(), 24, others.embeddings.begin() + 24 * 650);
    std::copy_n(faces.embeddings.begin() + 24 * 8, 24, faces.embeddings.begin() + 24 * 12);
    test::fail_picture(faces, 4 * 5);      // an entry that was never enrolled
    test::fail_picture(faces, 4 * 7 + 2);  // a probe without a face
    test::fail_picture(others, 3);
    for (std::int64_t i = 0; i < 1600; ++i) {
      const bool enrolled = i / 4 < 300 && (i % 4 == 0 || (i % 4 == 1 && i / 4 % 3 == 0));
      (enrolled ? gallery : probes).push_back(i);
      (enrolled ? gallery_people : probe_people).push_back(i / 4);
    }
  }
};

// One row of the full matrix.
struct Row {
  double mate = std::numeric_limits<double>::quiet_NaN(), best = mate;
  std::int64_t rank = 0;
  std::vector<Candidate> sorted;
};
Row by_definition(const Cosines& a, const Cosines& b, const Crowd& c, std::size_t p, std::int64_t size) {
  Row out;
  std::map<std::int64_t, double> people;
  for (std::int64_t e = 0; e < size; ++e) {
    const bool enrolled = e < static_cast<std::int64_t>(c.gallery.size());
    const double s = enrolled ? a.score(c.probes[p], c.gallery[static_cast<std::size_t>(e)])
                              : a.score(c.probes[p], b, e - static_cast<std::int64_t>(c.gallery.size()));
    if (std::isnan(s)) continue;
    out.sorted.push_back({e, s});
    const std::int64_t person = enrolled ? c.gallery_people[static_cast<std::size_t>(e)] : -1 - e;
    if (person == c.probe_people[p])
      out.mate = std::fmax(out.mate, s);
    else
      people[person] = std::max(people.contains(person) ? people[person] : -2, s), out.best = std::fmax(out.best, s);
  }
  if (!std::isnan(out.mate))
    out.rank = 1 + std::count_if(people.begin(), people.end(), [&](const auto& x) { return x.second >= out.mate; });
  std::stable_sort(out.sorted.begin(), out.sorted.end(),
                   [](const auto& x, const auto& y) { return x.score > y.score; });
  return out;
}

TEST(Search, EqualsTheFullMatrix) {
  const Crowd c;
  const Cosines faces(c.faces, "faces"), others(c.others, "others");
  const std::vector<GalleryPart> parts = {{&faces, c.gallery, c.gallery_people}, {&others, {}, {}}};
  const auto enrolled = static_cast<std::int64_t>(c.gallery.size());
  const SearchResult r = search(faces, c.probes, c.probe_people, parts,
                                {.sizes = {enrolled, 600, enrolled + 700}, .candidates = 12, .threads = 2});
  std::int64_t ties = 0, found = 0;
  for (std::size_t p = 0; p < c.probes.size(); p += 3)
    for (std::size_t s = 0; s < 3; ++s) {
      const Row want = by_definition(faces, others, c, p, r.sizes[s]);
      const std::size_t at = s * c.probes.size() + p;
      ASSERT_EQ(r.rank[at], want.rank) << "probe " << p << ", size " << r.sizes[s];
      ASSERT_TRUE(r.best_other[at] == want.best || (std::isnan(want.best) && std::isnan(r.best_other[at])));
      ASSERT_TRUE(r.mate[p] == want.mate || (std::isnan(want.mate) && std::isnan(r.mate[p])));
      found += want.rank > 0;
      if (s < 2) continue;
      for (std::size_t k = 0; k < 12; ++k) {
        const Candidate& got = r.candidates[p * 12 + k];
        if (want.sorted.empty()) {
          EXPECT_EQ(got.entry, -1) << "a probe without a face has no candidates";
          continue;
        }
        ASSERT_EQ(got.entry, want.sorted[k].entry) << "probe " << p << ", candidate " << k;
        ASSERT_EQ(got.score, want.sorted[k].score);
        ties += k > 0 && want.sorted[k - 1].score == want.sorted[k].score;
      }
    }
  EXPECT_GT(ties, 0) << "the crowd has entries with equal scores";
  EXPECT_GT(found, 500);
}

TEST(Search, DoesNotDependOnThreadsOrListedCandidates) {
  const Crowd c;
  const Cosines faces(c.faces, "faces");
  const std::vector<GalleryPart> parts = {{&faces, c.gallery, c.gallery_people}};
  const SearchResult one = search(faces, c.probes, c.probe_people, parts, {.candidates = 500, .threads = 1});
  const SearchResult many = search(faces, c.probes, c.probe_people, parts, {.threads = 5});
  EXPECT_EQ(one.rank, many.rank);
  EXPECT_EQ(one.candidates[499].entry, -1) << "more candidates than the gallery has entries";
  for (std::size_t p = 0; p < c.probes.size(); ++p)
    ASSERT_TRUE(one.best_other[p] == many.best_other[p] || std::isnan(one.best_other[p]));
}

TEST(MappedArchive, IsTheArchive) {
  const Crowd c;
  test::TempDir dir;
  c.others.save(dir / "o.emb.h5", IfExists::kRefuse);
  const MappedEmbeddings m(dir / "o.emb.h5");
  EXPECT_TRUE(m.is_mapped());
  EXPECT_TRUE(
      std::equal(m.embeddings().begin(), m.embeddings().end(), c.others.embeddings.begin(), c.others.embeddings.end()));
  EXPECT_EQ(m.keys(), c.others.keys);
  EXPECT_EQ(m.failed()[3], 1);
  std::filesystem::resize_file(dir / "o.emb.h5", 3000);
  EXPECT_NE(test::refusal([&] { MappedEmbeddings(dir / "o.emb.h5"); }).find("o.emb.h5"), std::string::npos);
}

// ---- rates
// -------------------------------------------------------------------------------------------------------------------

TEST(Identify, RatesFollowTheirDefinitions) {
  const EmbeddingArchive a = test::people(200, 4, 24, 1.3);
  Enrolment e = first_picture(SetIndex::of(a), {.held_out = .25, .seed = 3});
  EXPECT_EQ(e.galleries[0].entries.size(), 150u);
  EXPECT_EQ(e.probes.size(), 150u * 3 + 50u * 4);
  const EmbeddingArchive entries = pool(a, e.templates, {}, 2);
  const Identification found = identify(
      entries, e, {},
      {.at = {{OperatingTarget::Kind::kFmr, 1e-1}, {OperatingTarget::Kind::kFmr, 1e-4}}, .rank = 3, .traffic = 500});
  const Result& r = found.result;
  const Measure& fnir = r.metrics.at("fnir@fpir=1e-1");
  ASSERT_TRUE(fnir.threshold);
  // Counted anew: 200 non-mated searches allow 20 alarms.
  const Cosines c(entries, "test");
  std::set<std::int64_t> people;
  for (std::int64_t g : e.galleries[0].entries) people.insert(entries.subjects[static_cast<std::size_t>(g)]);
  std::int64_t alarms = 0, next = 0, missed = 0, first = 0;
  for (std::int64_t p : e.probes) {
    const std::int64_t person = entries.subjects[static_cast<std::size_t>(p)];
    double mate = -2, best = -2;
    std::int64_t above = 0;
    for (std::int64_t g : e.galleries[0].entries)
      if (entries.subjects[static_cast<std::size_t>(g)] == person) mate = c.score(p, g);
    for (std::int64_t g : e.galleries[0].entries)
      if (entries.subjects[static_cast<std::size_t>(g)] != person)
        best = std::max(best, c.score(p, g)), above += c.score(p, g) >= mate;
    if (!people.contains(person))
      alarms += best >= *fnir.threshold, next += best >= std::nextafter(*fnir.threshold, -1);
    else
      missed += above >= 3 || mate < *fnir.threshold, first += above == 0;
  }
  EXPECT_EQ(alarms, 20);
  EXPECT_GT(next, 20) << "a smaller threshold would have kept the target";
  EXPECT_EQ(fnir.numerator, missed);
  EXPECT_EQ(fnir.denominator, 450);
  EXPECT_EQ(*r.metrics.at("tpir@fpir=1e-1").numerator, 450 - missed);
  EXPECT_EQ(r.metrics.at("rank1").numerator, first);
  EXPECT_EQ(r.metrics.at("rank1").interval.unit, "probe");
  EXPECT_DOUBLE_EQ(*r.metrics.at("alarms_per_day@fpir=1e-1").value, 50);
  EXPECT_FALSE(r.metrics.at("fnir@fpir=1e-4").value) << "200 searches cannot show one alarm in ten thousand";
  EXPECT_EQ(r.metrics.at("fnir@fpir=1e-4").status.support, Support::kSuppressed);
  EXPECT_EQ(r.to_json(), Result::from_json(r.to_json(), "test").to_json());
  EXPECT_EQ(r.identification.at("cmc")[0].at("hits")[0], first);
  EXPECT_NE(r.to_text().find("rank1"), std::string::npos);
}

TEST(Identify, DistractorsMakeBothErrorsGrow) {
  const EmbeddingArchive a = test::people(120, 3, 24, .9);
  test::TempDir dir;
  test::people(3000, 1, 24, 1).save(dir / "d.emb.h5", IfExists::kRefuse);
  EmbeddingArchive other = test::people(10, 1, 24, 1);
  other.contract.flip = "sum";
  other.save(dir / "sum.emb.h5", IfExists::kRefuse);
  const Enrolment e = first_picture(SetIndex::of(a), {});
  const EmbeddingArchive entries = pool(a, e.templates, {}, 1);
  std::vector<MappedEmbeddings> distractors;
  distractors.emplace_back(dir / "d.emb.h5");
  const Result r = identify(entries, e, distractors, {.at = {{OperatingTarget::Kind::kThreshold, .6}}}).result;
  ASSERT_EQ(r.groups.size(), 7u) << "96, 100, 200, 500, 1000, 2000, and all";
  for (std::size_t g = 1; g < r.groups.size(); ++g) {
    EXPECT_GE(*r.groups[g].metrics.at("fpir@threshold").numerator,
              *r.groups[g - 1].metrics.at("fpir@threshold").numerator);
    EXPECT_LE(*r.groups[g].metrics.at("rank1").numerator, *r.groups[g - 1].metrics.at("rank1").numerator);
  }
  EXPECT_EQ(r.groups.back().where.at("entries"), "3096");
  EXPECT_EQ(r.metrics.at("rank1").numerator, r.groups.back().metrics.at("rank1").numerator);
  EXPECT_GT(*r.groups.back().metrics.at("fpir@threshold").numerator,
            *r.groups[0].metrics.at("fpir@threshold").numerator);
  std::vector<MappedEmbeddings> of_two_contracts;
  of_two_contracts.emplace_back(dir / "sum.emb.h5");
  EXPECT_NE(test::refusal([&] { identify(entries, e, of_two_contracts, {}); }).find("flip"), std::string::npos);
}

TEST(Identify, BadEmbeddingsAreNamed) {
  EmbeddingArchive a = test::people(10, 2, 8, .5);
  const Enrolment e = first_picture(SetIndex::of(a), {});
  std::fill_n(a.embeddings.begin() + 8 * 3, 8, 0.f);
  EXPECT_NE(test::refusal([&] { pool(a, e.templates, {}, 1); }).find("person_1_0002"), std::string::npos);
  a.embeddings[8 * 3] = std::numeric_limits<float>::infinity();
  EXPECT_NE(test::refusal([&] { pool(a, e.templates, {}, 1); }).find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace likeness::eval
