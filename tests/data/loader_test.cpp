#include "data/loader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "core/error.h"
#include "core/rng.h"
#include "numbered_faces.h"

namespace likeness::data {
namespace {

using test::NumberedFaces;

LoaderOptions options_for(const FaceSource& source, std::int64_t batch) {
  LoaderOptions o;
  o.geometry = source.geometry();
  o.sampler = {.seed = 11, .batch = batch};
  return o;
}

constexpr std::size_t kPicture = std::size_t{NumberedFaces::kWidth} * NumberedFaces::kHeight * 3;

// What slot holding picture i must look like, computed without the loader.
std::vector<std::uint8_t> expected_pixels(std::int64_t i, bool flipped) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < NumberedFaces::kHeight; ++y)
    for (int x = 0; x < NumberedFaces::kWidth; ++x)
      for (auto c : NumberedFaces::pixel(i, flipped ? NumberedFaces::kWidth - 1 - x : x, y)) pixels.push_back(c);
  return pixels;
}

bool flips(const LoaderOptions& o, std::int64_t epoch, std::int64_t i) {
  return Rng(o.sampler.seed, Purpose::kAugment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(i))
      .chance(o.flip);
}

std::vector<std::uint8_t> slot(const Batch& batch, std::int64_t b) {
  const std::uint8_t* p = batch.pixels + static_cast<std::size_t>(b) * kPicture;
  return {p, p + kPicture};
}

// Everything a batch says, as one comparable value.
struct Seen {
  std::int64_t size, epoch, position;
  std::vector<std::int64_t> labels, index;
  std::vector<std::uint8_t> pixels;
  bool operator==(const Seen&) const = default;
};

Seen copy(const Batch& b) {
  return {b.size,
          b.epoch,
          b.position,
          {b.labels, b.labels + b.size},
          {b.index, b.index + b.size},
          {b.pixels, b.pixels + static_cast<std::size_t>(b.size) * kPicture}};
}

std::vector<Seen> take(Loader& loader, int batches) {
  std::vector<Seen> seen;
  for (int k = 0; k < batches; ++k) seen.push_back(copy(loader.next()));
  return seen;
}

// The kind of error that `action` throws, and its text.
template <class Action>
std::pair<ErrorKind, std::string> error_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return {e.kind(), e.what()};
  }
  return {ErrorKind::kCheckFailed, "no error"};
}

TEST(Loader, EverySlotHoldsThePictureThatTheSamplerSays) {
  const NumberedFaces source(300);
  auto o = options_for(source, 7);
  o.workers = 3;
  const Sampler sampler(source.size(), o.sampler);
  Loader loader(source, o);
  ASSERT_EQ(loader.batches_per_epoch(), 42);
  int flipped = 0;
  for (std::int64_t epoch = 0; epoch < 2; ++epoch)
    for (std::int64_t k = 0; k < 42; ++k) {
      const Batch& batch = loader.next();
      ASSERT_EQ(batch.size, 7);
      ASSERT_EQ(batch.epoch, epoch);
      ASSERT_EQ(batch.position, k);
      for (std::int64_t b = 0; b < 7; ++b) {
        const std::int64_t i = sampler.at(epoch, k, b);
        ASSERT_EQ(batch.index[b], i);
        ASSERT_EQ(batch.labels[b], NumberedFaces::label_of(i));
        ASSERT_EQ(slot(batch, b), expected_pixels(i, flips(o, epoch, i))) << "picture " << i;
        flipped += flips(o, epoch, i);
      }
    }
  EXPECT_NEAR(flipped, 294, 60);  // 588 fair draws: five standard deviations
}

TEST(Loader, IsTheSameForAnyNumberOfWorkersAndAnyPrefetch) {
  const NumberedFaces source(200);
  auto o = options_for(source, 8);
  Loader one(source, o);
  const auto expected = take(one, 60);
  for (int workers : {1, 2, 5, 16})
    for (int prefetch : {1, 3, 9}) {
      o.workers = workers;
      o.prefetch = prefetch;
      Loader other(source, o);
      EXPECT_TRUE(take(other, 60) == expected) << workers << " workers, prefetch " << prefetch;
    }
}

TEST(Loader, ResumesAtAnyBatch) {
  const NumberedFaces source(50);
  auto o = options_for(source, 6);  // 8 batches an epoch
  o.workers = 2;
  Loader whole(source, o);
  const auto expected = take(whole, 24);
  for (std::int64_t start = 0; start < 20; ++start) {
    Loader resumed(source, o, start / 8, start % 8);
    EXPECT_TRUE(take(resumed, 4) == std::vector<Seen>(expected.begin() + start, expected.begin() + start + 4)) << start;
  }
  Loader end_of_epoch(source, o, 1, 8);
  EXPECT_TRUE(copy(end_of_epoch.next()) == expected[16]);
}

TEST(Loader, KeepsTheLastBatchWhenAsked) {
  const NumberedFaces source(11);
  auto o = options_for(source, 4);
  o.sampler.drop_last = false;
  o.workers = 2;
  Loader loader(source, o);
  std::vector<std::int64_t> sizes;
  for (int k = 0; k < 6; ++k) sizes.push_back(loader.next().size);
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{4, 4, 3, 4, 4, 3}));

  const NumberedFaces five(5);
  auto second = options_for(five, 2);
  second.sampler.drop_last = false;
  second.sampler.rank = 1;
  second.sampler.world = 2;
  Loader rank1(five, second);
  EXPECT_EQ(rank1.next().size, 2);
  EXPECT_EQ(rank1.next().size, 0);  // takes part in the step with nothing
  EXPECT_EQ(rank1.next().size, 2);
}

TEST(Loader, ABatchStaysUntilTheNextIsAskedFor) {
  const NumberedFaces source(400);
  auto o = options_for(source, 4);
  o.workers = 4;
  o.prefetch = 1;
  Loader loader(source, o);
  for (int k = 0; k < 20; ++k) {
    const Batch& batch = loader.next();
    const Seen before = copy(batch);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time enough to decode all that may be decoded ahead
    ASSERT_TRUE(copy(batch) == before);
  }
}

TEST(Loader, FlipProbabilityZeroAndOne) {
  const NumberedFaces source(20);
  for (double flip : {0.0, 1.0}) {
    auto o = options_for(source, 20);
    o.flip = flip;
    Loader loader(source, o);
    const Batch& batch = loader.next();
    for (std::int64_t b = 0; b < 20; ++b) EXPECT_EQ(slot(batch, b), expected_pixels(batch.index[b], flip == 1));
  }
}

TEST(Loader, AnErrorArrivesInOrderAndStays) {
  const NumberedFaces whole(40), source(40, {30, 31, 32});
  auto o = options_for(source, 8);
  o.sampler.shuffle = false;  // the bad pictures are in batch 3, slots 6 and 7, and batch 4, slot 0
  Loader good(whole, o);
  const auto expected = take(good, 3);
  for (int workers : {1, 4}) {
    o.workers = workers;
    Loader loader(source, o);
    EXPECT_TRUE(take(loader, 3) == expected);
    for (int again = 0; again < 3; ++again) {
      const auto [kind, text] = error_of([&] { loader.next(); });
      EXPECT_EQ(kind, ErrorKind::kData);
      EXPECT_NE(text.find("picture 30"), std::string::npos) << text;
    }
    EXPECT_EQ(loader.bad_count(), 0);
  }
}

TEST(Loader, SkippingIsDeterministicCountedAndListed) {
  const NumberedFaces source(24, {0, 1, 5, 6, 20});
  auto o = options_for(source, 8);
  o.sampler.shuffle = false;
  o.on_bad = OnBad::kSkip;
  for (int workers : {1, 3, 8}) {
    o.workers = workers;
    Loader loader(source, o);
    const Seen first = copy(loader.next());
    EXPECT_EQ(first.index, (std::vector<std::int64_t>{2, 2, 2, 3, 4, 4, 4, 7}));
    EXPECT_EQ(first.labels, (std::vector<std::int64_t>{2, 2, 2, 3, 4, 4, 4, 2}));
    for (std::int64_t b = 0; b < 8; ++b) {
      const std::int64_t i = first.index[static_cast<std::size_t>(b)];
      const std::vector<std::uint8_t> got(first.pixels.begin() + b * std::ptrdiff_t{kPicture},
                                          first.pixels.begin() + (b + 1) * std::ptrdiff_t{kPicture});
      EXPECT_EQ(got, expected_pixels(i, flips(o, 0, i)));
    }
    EXPECT_EQ(loader.bad_count(), 4);
    loader.next();
    EXPECT_EQ(loader.bad_count(), 4);
    EXPECT_EQ(copy(loader.next()).index, (std::vector<std::int64_t>{16, 17, 18, 19, 19, 21, 22, 23}));
    EXPECT_EQ(loader.bad_count(), 5);
    const auto list = loader.bad_list();
    ASSERT_EQ(list.size(), 5u);
    const char* names[] = {"picture 0", "picture 1", "picture 5", "picture 6", "picture 20"};
    for (std::size_t k = 0; k < 5; ++k) EXPECT_NE(list[k].find(names[k]), std::string::npos) << list[k];
    for (int k = 0; k < 3 * 60; ++k) loader.next();
    EXPECT_EQ(loader.bad_count(), 5 * 61);
    EXPECT_EQ(loader.bad_list().size(), 100u);
  }
}

TEST(Loader, ABatchWithoutAGoodPictureIsAnErrorEvenWhenSkipping) {
  const NumberedFaces source(12, {4, 5, 6, 7});
  auto o = options_for(source, 4);
  o.sampler.shuffle = false;
  o.on_bad = OnBad::kSkip;
  Loader loader(source, o);
  loader.next();
  EXPECT_EQ(error_of([&] { loader.next(); }).first, ErrorKind::kData);
}

TEST(Loader, SkippingForgivesBadDataOnly) {
  const NumberedFaces source(12, {1}, {2});
  auto o = options_for(source, 4);
  o.sampler.shuffle = false;
  o.on_bad = OnBad::kSkip;
  Loader loader(source, o);
  EXPECT_THROW(loader.next(), std::runtime_error);
  EXPECT_EQ(error_of([&] {
              try {
                loader.next();
              } catch (const Error&) {
                throw;
              } catch (const std::exception&) {
              }
            }).second,
            "no error");
}

TEST(Loader, StopsAtAnyMoment) {
  const NumberedFaces source(64, {63});
  auto o = options_for(source, 4);
  o.workers = 4;
  for (int k = 0; k < 200; ++k) {
    Loader loader(source, o, k % 3, k % 16);
    for (int n = 0; n < k % 5; ++n) try {
        loader.next();
      } catch (const Error&) {
      }
  }
}

TEST(Loader, TakesItsMemoryFromTheCaller) {
  const NumberedFaces source(40);
  auto o = options_for(source, 8);
  o.prefetch = 2;
  std::vector<std::uint8_t*> given;
  o.allocate = [&](std::size_t bytes) {
    EXPECT_EQ(bytes, 8 * kPicture);
    std::shared_ptr<std::uint8_t> memory(new std::uint8_t[bytes], std::default_delete<std::uint8_t[]>());
    given.push_back(memory.get());
    return memory;
  };
  Loader loader(source, o);
  ASSERT_EQ(given.size(), 3u);
  for (std::size_t k = 0; k < 7; ++k) EXPECT_EQ(loader.next().pixels, given[k % 3]);
}

TEST(Loader, RefusesBeforeItStarts) {
  const NumberedFaces source(40);
  const auto good = options_for(source, 8);
  const auto kind = [&](auto change) {
    auto o = good;
    std::int64_t epoch = 0, position = 0;
    change(o, epoch, position);
    return error_of([&] { Loader(source, o, epoch, position); }).first;
  };
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.workers = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.prefetch = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.flip = 1.5; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.flip = std::nan(""); }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.sampler.batch = 41; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto&, auto& epoch, auto&) { epoch = -1; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto&, auto&, auto& position) { position = 6; }), ErrorKind::kUsage);
  EXPECT_EQ(kind([](auto& o, auto&, auto&) { o.geometry = FaceGeometry::arcface(112); }), ErrorKind::kData);
  const NumberedFaces empty(0);
  EXPECT_EQ(error_of([&] { Loader(empty, good); }).first, ErrorKind::kData);
}

}  // namespace
}  // namespace likeness::data
