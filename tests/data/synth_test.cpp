#include "data/synth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/signals.h"
#include "tests/support/paths.h"

namespace likeness::data {
namespace {

SynthOptions small() { return {.seed = 5, .identities = 24, .pictures = 3, .size = 64, .planted = {}}; }

template <class Action>
ErrorKind kind_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return e.kind();
  }
  return ErrorKind::kCheckFailed;
}

TEST(SynthSet, IsTheSameForAnyNumberOfThreads) {
  const test::TempDir dir;
  auto o = small();
  o.threads = 1;
  const auto one = write_synthetic(dir / "one.faces.h5", IfExists::kRefuse, o);
  o.threads = 5;
  const auto five = write_synthetic(dir / "five.faces.h5", IfExists::kRefuse, o);
  EXPECT_EQ(one.digest, five.digest);
  EXPECT_EQ(one.pictures, 72);
  o.seed = 6;
  EXPECT_NE(write_synthetic(dir / "other.faces.h5", IfExists::kRefuse, o).digest, one.digest);
}

TEST(SynthSet, APersonIsTheSameInEverySetThatHasThem) {
  const test::TempDir dir;
  auto o = small();
  write_synthetic(dir / "a.faces.h5", IfExists::kRefuse, o);
  o.first_identity = 20;
  write_synthetic(dir / "b.faces.h5", IfExists::kRefuse, o);
  const auto a = open_faces(dir / "a.faces.h5"), b = open_faces(dir / "b.faces.h5");
  std::set<std::string> names;
  for (std::int64_t k = 0; k < 24; ++k) names.insert(a->identity_name(k));
  std::vector<std::byte> scratch_a, scratch_b;
  for (std::int64_t k = 0; k < 24; ++k) {
    // People 20 … 23 are in both sets, with the same pictures; all others are in one.
    EXPECT_EQ(names.count(b->identity_name(k)), k < 4 ? 1u : 0u) << b->identity_name(k);
    if (k >= 4) continue;
    for (std::int64_t n = 0; n < 3; ++n) {
      EXPECT_EQ(a->key((k + 20) * 3 + n), b->key(k * 3 + n));
      EXPECT_TRUE(std::ranges::equal(a->encoded((k + 20) * 3 + n, scratch_a), b->encoded(k * 3 + n, scratch_b)));
    }
  }
}

TEST(SynthSet, NoTwoPeopleAndNoTwoPicturesAreAlike) {
  std::set<std::string> pictures;
  const auto is_new = [&](const std::vector<std::byte>& jpeg) {
    return pictures.emplace(reinterpret_cast<const char*>(jpeg.data()), jpeg.size()).second;
  };
  auto o = small();
  for (std::int64_t k = 0; k < 24; ++k)
    for (std::int64_t n = 0; n < 3; ++n) EXPECT_TRUE(is_new(draw_picture(o, k, n).jpeg));
  o.seed = 6;
  EXPECT_TRUE(is_new(draw_picture(o, 0, 0).jpeg));
}

TEST(SynthSet, StoresLabelsNamesGeometryAndAttributes) {
  const test::TempDir dir;
  auto o = small();
  o.first_identity = 7;
  const auto pairs = draw_pairs(o, 200);
  write_synthetic(dir / "set.faces.h5", IfExists::kRefuse, o, pairs);
  const auto set = open_faces(dir / "set.faces.h5");
  ASSERT_EQ(set->size(), 72);
  ASSERT_EQ(set->identities(), 24);
  EXPECT_TRUE(set->geometry().same_as(FaceGeometry::arcface(64)));
  EXPECT_FALSE(set->landmarks(0).has_value()) << "aligned pictures would be warped at each reading";
  EXPECT_EQ(set->identity_name(0), "s5-000007");
  EXPECT_EQ(set->key(4), "s5-000008/001.jpg");
  EXPECT_EQ(set->pairs().size(), pairs.size());
  const AttributeTable table = set->attributes();
  for (std::int64_t i = 0; i < 72; ++i) {
    EXPECT_EQ(set->label(i), i / 3);
    const synth::Person person = synth::draw_person(5, 7 + i / 3);
    const auto row = static_cast<std::size_t>(i);
    ASSERT_TRUE(table.find("gender") && table.find("age") && table.find("skin"));
    EXPECT_EQ(table.find("gender")->text(row), name_of(person.gender));
    EXPECT_EQ(table.find("age")->text(row), name_of(person.age));
    EXPECT_EQ(table.find("skin")->text(row), name_of(person.skin));
  }
}

TEST(SynthSet, LeavesNothingBehindWhenInterrupted) {
  const test::TempDir dir;
  set_stop_signal(2);
  EXPECT_THROW(write_synthetic(dir / "set.faces.h5", IfExists::kRefuse, small()), Interrupted);
  set_stop_signal(0);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SynthSet, RefusesWhatItCannotMake) {
  const auto kind = [](auto change) {
    auto o = small();
    change(o);
    return kind_of([&] { check_options(o); });
  };
  EXPECT_EQ(kind([](auto&) {}), ErrorKind::kCheckFailed) << "these are fine";
  EXPECT_EQ(kind([](auto& o) { o.identities = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o) { o.pictures = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o) { o.size = 16; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o) { o.first_identity = -1; }), ErrorKind::kUsage);
}

TEST(SynthPerson, GroupsAreDrawnEquallyAndIndependently) {
  std::map<std::string, int> count;
  constexpr int people = 9000;
  for (int k = 0; k < people; ++k) {
    const synth::Person p = synth::draw_person(1, k);
    const std::string gender = name_of(p.gender), age = name_of(p.age), skin = name_of(p.skin);
    ++count[gender + age + skin];
    EXPECT_EQ(p.age == synth::Age::kYoung, p.years < 35);
    EXPECT_EQ(p.age == synth::Age::kSenior, p.years >= 58);
  }
  ASSERT_EQ(count.size(), 18u);
  for (const auto& [group, n] : count) EXPECT_NEAR(n, people / 18.0, 5 * std::sqrt(people / 18.0)) << group;
}

TEST(SynthPairs, AreBalancedDistinctAndOfDifferentPeopleInEachFold) {
  auto o = small();
  o.identities = 57;
  o.pictures = 4;
  const auto pairs = draw_pairs(o, 500);  // 25 genuine and 25 impostor pairs in each fold
  ASSERT_EQ(pairs.size(), 500u);
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  std::map<std::int64_t, std::size_t> fold_of_person;
  for (std::size_t n = 0; n < pairs.size(); ++n) {
    const auto& p = pairs[n];
    ASSERT_LT(p.a, p.b);
    ASSERT_LT(p.b, 57 * 4);
    EXPECT_TRUE(seen.insert({p.a, p.b}).second) << "pair " << n << " twice";
    EXPECT_EQ(p.same, p.a / 4 == p.b / 4);
    EXPECT_EQ(p.same, n % 50 < 25);
    for (std::int64_t i : {p.a, p.b}) {
      const auto [at, fresh] = fold_of_person.insert({i / 4, n / 50});
      EXPECT_EQ(at->second, n / 50) << "person " << i / 4 << " is in two folds";
    }
  }
  // The file says the same by keys.
  const std::string csv = pairs_csv(o, pairs);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 501);
  EXPECT_EQ(csv.substr(0, 15), "a,b,label,fold\n");
  for (std::size_t n : {std::size_t{0}, std::size_t{30}, std::size_t{499}}) {
    const auto& p = pairs[n];
    const std::string line = synth_key(5, p.a / 4, p.a % 4) + "," + synth_key(5, p.b / 4, p.b % 4) +
                             (p.same ? ",1," : ",0,") + std::to_string(n / 50) + "\n";
    EXPECT_NE(csv.find("\n" + line), std::string::npos) << line;
  }
}

TEST(SynthPairs, GiveWhatThereIsAndRefuseWhereThereIsNothing) {
  auto o = small();  // two people of three pictures in the smallest fold: 6 genuine, 9 impostor pairs
  EXPECT_EQ(draw_pairs(o, 100'000).size(), 120u);
  o.pictures = 1;
  EXPECT_EQ(kind_of([&] { draw_pairs(o, 100); }), ErrorKind::kUsage);
  o.pictures = 3;
  o.identities = 19;
  EXPECT_EQ(kind_of([&] { draw_pairs(o, 100); }), ErrorKind::kUsage);
}

}  // namespace
}  // namespace likeness::data
