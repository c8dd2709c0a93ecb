// Subject bootstrap: what it counts, that it is reproducible, and that its intervals hold the truth as often as they
// say.
#include "eval/metrics/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "eval/verify.h"
#include "tests/eval/coverage.h"
#include "tests/eval/support.h"

namespace likeness::eval {
namespace {

using Kind = Figure::Kind;
using At = Figure::At;

// evaluation.md's fixture: genuine .82 .74 .61 .55 .31, impostors .58 .40 .31 .22 .10 .05 -.02 -.08 -.15 -.20. Five
// people, each with one genuine comparison, and all pairs of them.
ScoreArchive fixture() {
  ScoreArchive a;
  a.scores = {.82, .74, .61, .55, .31, .58, .40, .31, .22, .10, .05, -.02, -.08, -.15, -.20};
  for (int s = 0; s < 5; ++s)
    a.genuine.push_back(1), a.subject_a.push_back(s), a.subject_b.push_back(s),
        a.subject_ids.push_back(std::to_string(s));
  for (int i = 0; i < 5; ++i)
    for (int j = i + 1; j < 5; ++j) a.genuine.push_back(0), a.subject_a.push_back(i), a.subject_b.push_back(j);
  a.trial_digest = "d";
  a.contract_json = "{}";
  return a;
}

TEST(Bootstrap, SampleFiguresAreThoseOfTheCurve) {
  ScoreArchive scores = test::simulate({.subjects = 40}, 3);
  scores.scores[5] = scores.scores[500] = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t p = 0; p < scores.size(); p += 3) scores.scores[p] = std::round(scores.scores[p] * 50) / 50;  // ties
  const GroupedScores g = group_scores(scores, {});
  const Curve& c = g.table.all.curve;
  for (double f : {.3, .1, .01, 1e-4})
    EXPECT_EQ(sample_figure(g.table, {Kind::kFnmr, At::kFmrTarget, f}), at_fmr(c, f).fnmr()) << f;
  for (double t : {-.9, 0., .1, .24, .9}) {
    EXPECT_EQ(sample_figure(g.table, {Kind::kFmr, At::kThreshold, t}), at_threshold(c, t).fmr()) << t;
    EXPECT_EQ(sample_figure(g.table, {Kind::kFnmr, At::kThreshold, t}), at_threshold(c, t).fnmr()) << t;
  }
  EXPECT_EQ(sample_figure(g.table, {Kind::kEer}), equal_error_rate(c).value);
  EXPECT_NEAR(sample_figure(g.table, {Kind::kAuc}), auc(c).value, 1e-12);
}

// Every replicate against a plain count over the list, person by person.
TEST(Bootstrap, ReplicatesCountWhatTheyShould) {
  const ScoreArchive scores = fixture();
  const GroupedScores g = group_scores(scores, {});
  const double t = .3;
  const std::vector<Figure> figures = {{Kind::kFmr, At::kThreshold, t},
                                       {Kind::kFnmr, At::kThreshold, t},
                                       {Kind::kFnmr, At::kFmrTarget, .2},
                                       {Kind::kAuc}};
  const std::vector<Shares> shares = {{1, .6}, {}, {}, {}};
  const auto values = bootstrap(g.table, figures, shares, {50, 9, 1});
  for (std::size_t r = 0; r < 50; ++r) {
    std::vector<double> w(5, 0);
    Rng rng(9, Purpose::kBootstrap, 0, r);
    for (int s = 0; s < 5; ++s) w[rng.below(5)] += 1;
    // Accepted and all weight, by class, at a threshold.
    auto count = [&](bool genuine, double threshold, double* all) {
      double accepted = *all = 0;
      for (std::size_t p = 0; p < scores.size(); ++p) {
        if ((scores.genuine[p] != 0) != genuine) continue;
        const double weight = genuine ? w[static_cast<std::size_t>(scores.subject_a[p])]
                                      : w[static_cast<std::size_t>(scores.subject_a[p])] *
                                            w[static_cast<std::size_t>(scores.subject_b[p])];
        *all += weight;
        if (scores.scores[p] >= threshold) accepted += weight;
      }
      return accepted;
    };
    double genuine = 0, impostors = 0;
    const double fa = count(false, t, &impostors), ta = count(true, t, &genuine);
    if (impostors == 0) continue;
    EXPECT_NEAR(values[0][r], .4 * .3 + .6 * fa / impostors, 1e-12);
    EXPECT_NEAR(values[1][r], 1 - ta / genuine, 1e-12);
    double least = 1, won = 0;  // over every threshold that keeps the FMR
    for (double threshold : scores.scores) {
      double all = 0;
      const double above = std::nextafter(threshold, 2.);
      for (double x : {threshold, above})
        if (count(false, x, &all) / impostors <= .2) least = std::min(least, 1 - count(true, x, &all) / genuine);
    }
    EXPECT_NEAR(values[2][r], least, 1e-12) << "replicate " << r;
    for (std::size_t p = 0; p < 5; ++p)
      for (std::size_t q = 5; q < scores.size(); ++q) {
        const double weight =
            w[p] * w[static_cast<std::size_t>(scores.subject_a[q])] * w[static_cast<std::size_t>(scores.subject_b[q])];
        won += weight * (scores.scores[p] > scores.scores[q] ? 1 : scores.scores[p] == scores.scores[q] ? .5 : 0);
      }
    EXPECT_NEAR(values[3][r], won / genuine / impostors, 1e-12) << "replicate " << r;
  }
}

TEST(Bootstrap, SameSeedSameNumbersForAnyThreads) {
  const GroupedScores g = group_scores(test::simulate({.subjects = 30}, 1), {});
  const std::vector<Figure> figures = {{Kind::kEer}, {Kind::kFnmr, At::kFmrTarget, .05}};
  const std::vector<Shares> shares = {noise_shares(g.table, figures[0]), noise_shares(g.table, figures[1])};
  const auto one = bootstrap(g.table, figures, shares, {200, 5, 1});
  EXPECT_EQ(one, bootstrap(g.table, figures, shares, {200, 5, 3}));
  EXPECT_NE(one, bootstrap(g.table, figures, shares, {200, 6, 3}));
}

TEST(Bootstrap, PairNoiseIsNotTripled) {
  // Errors of pairs that have nothing to do with people: the binomial variance, of which plain drawing would give three
  // times.
  ScoreArchive scores = test::simulate({.subjects = 200, .impostor_share = 0}, 2);
  const GroupedScores g = group_scores(scores, {});
  const Figure f{Kind::kFmr, At::kThreshold, test::World{}.threshold(.01)};
  const double p = sample_figure(g.table, f), binomial = p * (1 - p) / 19900;
  auto variance = [&](Shares s) { return replicate_variance(bootstrap(g.table, {f}, {s}, {2000, 1, 0})[0], 200); };
  EXPECT_NEAR(variance({1, 1}) / binomial, 3, .5);
  EXPECT_NEAR(variance(noise_shares(g.table, f)) / binomial, 1, .25);
}

TEST(Bootstrap, PicturesOfOneGenuinePairAreOnePerson) {
  ScoreArchive a = fixture();
  a.subject_ids.push_back("a picture of unknown identity");
  a.subject_b[0] = 5;  // a genuine comparison of persons 0 and 5
  std::int64_t people = 0;
  const auto person = join_subjects(a, &people);
  EXPECT_EQ(people, 5);
  EXPECT_EQ(person[5], person[0]);
}

TEST(Estimates, StudentQuantiles) {  // tables
  EXPECT_NEAR(student_quantile(.975, 10), 2.2281, 2e-3);
  EXPECT_NEAR(student_quantile(.95, 49), 1.6766, 2e-4);
  EXPECT_NEAR(student_quantile(.025, 199), -1.9720, 2e-4);
}

TEST(Estimates, IndependentTrialsGiveWilson) {
  const double p = 6. / 3000;
  const Limits e = Estimate::rate(p, 3000, p * (1 - p) / 3000, 1'000'000'000).limits(.95);
  EXPECT_NEAR(e.low, 9.1693e-4, 1e-8);
  EXPECT_NEAR(e.high, 4.3568e-3, 1e-7);
  // A smaller variance than independence gives is not believed; no error leaves the people to count.
  EXPECT_EQ(Estimate::rate(p, 3000, 1e-12, 1'000'000'000).limits(.95).high,
            Estimate::rate(p, 3000, p * (1 - p) / 3000, 1'000'000'000).limits(.95).high);
  EXPECT_NEAR(Estimate::rate(0, 3000, 0, 100).high(.025), wilson(0, 100).high, 2e-3);
  EXPECT_EQ(Estimate::rate(0, 3000, 0, 100).low(.025), 0);
}

TEST(Estimates, DifferenceOfPairs) {
  // Bonett & Price by hand: b 10, c 2, n 200: (3 - 11) / 202 and its error.
  const Estimate e = Estimate::difference(10, 2, 200, 0, 1'000'000'000);
  const double b = 11. / 202, c = 3. / 202, centre = c - b, error = std::sqrt((b + c - centre * centre) / 202);
  EXPECT_DOUBLE_EQ(e.value(), -.04);
  EXPECT_NEAR(e.high(.025), centre + 1.959964 * error, 1e-6);
  // Models that decide alike on 100 people: nothing below about 3 of 100 can be excluded.
  EXPECT_NEAR(Estimate::difference(0, 0, 3000, 0, 100).high(.05), student_quantile(.95, 99) * std::sqrt(2. / 102 / 102),
              1e-9);
}

TEST(Estimates, ProbabilitiesAndPeople) {
  const Estimate e = Estimate::plain(.02, 1e-4, 101);
  EXPECT_NEAR(e.p_above(.02 - student_quantile(.95, 100) * .01), .05, 1e-6);
  EXPECT_EQ(e.p_above(.03), .5);
  EXPECT_EQ(e.more_people(.05, .05), 0) << "decided: pass";
  EXPECT_EQ(e.more_people(-.01, .05), 0) << "decided: fail";
  const double factor = student_quantile(.95, 100) * .01 / .01;
  EXPECT_EQ(e.more_people(.03, .05), std::ceil(101 * (factor * factor - 1)));
  EXPECT_EQ(e.more_people(.02, .05), -1);
}

TEST(Intervals, OfAVerification) {
  const EmbeddingArchive archive = test::people(60, 3, 24, .8);
  const Trials trials = all_trials(SetIndex::of(archive));
  VerifyOptions options;
  options.at = {parse_target("fmr=1e-2"), parse_target("threshold=0.5"), parse_target("fmr=1e-6")};
  const Result pairs = verify(archive, trials, options);
  options.bootstrap = 300, options.seed = 4;
  const Result people = verify(archive, trials, options);
  for (const char* name : {"tar@fmr=1e-2", "fnmr@fmr=1e-2", "fmr@threshold", "eer", "auc"}) {
    const Measure& m = people.metrics.at(name);
    EXPECT_EQ(m.value, pairs.metrics.at(name).value) << name;
    EXPECT_EQ(m.interval.method, kSubjectBootstrap) << name;
    EXPECT_EQ(m.interval.replicates, 300);
    EXPECT_EQ(m.interval.seed, 4);
    EXPECT_EQ(m.interval.unit, "subject");
    EXPECT_LE(*m.low, *m.value) << name;
    EXPECT_GE(*m.high, *m.value) << name;
    EXPECT_LT(*m.low, *m.high) << name;
  }
  EXPECT_EQ(people.metrics.at("tar@fmr=1e-6").interval.method, pairs.metrics.at("tar@fmr=1e-6").interval.method)
      << "suppressed";
  const Measure &tar = people.metrics.at("tar@fmr=1e-2"), &fnmr = people.metrics.at("fnmr@fmr=1e-2");
  EXPECT_NEAR(*tar.low, 1 - *fnmr.high, 1e-12);
  EXPECT_EQ(Result::from_json(people.to_json(), "test").to_json(), people.to_json());
  // Thirty people are provisional at best.
  const EmbeddingArchive few = test::people(30, 6, 24, 2.);
  EXPECT_NE(verify(few, all_trials(SetIndex::of(few)), options).metrics.at("eer").status.support, Support::kOk);
}

// A small version of coverage_statistics_test.cpp: intervals over people hold the truth, intervals over pairs do not.
TEST(Intervals, HoldTheTruth) {
  const test::World world{.subjects = 120, .impostor_share = .3};
  const auto table = test::measure_coverage(world, {1e-2}, 150, 150);
  test::print(world, table);
  for (const auto& [name, c] : table) EXPECT_NEAR(c.share(), .95, 4 * c.deviation()) << name;
  const test::Coverage& fmr = table.at("fmr=1e-2@threshold");
  EXPECT_LT(fmr.wilson_held, .85 * fmr.sets);
}

}  // namespace
}  // namespace likeness::eval
