// A head with sub-centres, trained on planted label noise, finds it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <set>

#include "core/rng.h"
#include "train/head/classifier.h"
#include "train/head/sub_centers.h"

namespace likeness::train {
namespace {

constexpr std::int64_t kPeople = 40, kEach = 20, kDimension = 64, kPictures = kPeople * kEach;

// Embeddings as a good network gives them: about 35 degrees around the person.
at::Tensor embeddings() {
  at::Tensor e = at::empty({kPictures, kDimension});
  for (std::int64_t i = 0; i < kPictures; ++i) {
    Rng person(3, Purpose::kTest, 0, static_cast<std::uint64_t>(i / kEach)),
        picture(3, Purpose::kTest, 1, static_cast<std::uint64_t>(i));
    for (std::int64_t d = 0; d < kDimension; ++d) e[i][d] = static_cast<float>(person.normal() + .7 * picture.normal());
  }
  return e;
}

TEST(LabelNoise, SubCentresFindMostOfTheWrongLabelsAndFewOthers) {
  const at::Tensor e = embeddings();
  at::Tensor labels = at::arange(kPictures, at::kLong).floor_divide(kEach);
  std::set<std::int64_t> wrong;
  for (Rng rng(3, Purpose::kTest, 2); static_cast<std::int64_t>(wrong.size()) < kPictures / 5;) {
    const auto i = static_cast<std::int64_t>(rng.below(kPictures));
    const auto other = static_cast<std::int64_t>(rng.below(kPeople));
    if (wrong.contains(i) || other == i / kEach) continue;
    labels[i] = other;
    wrong.insert(i);
  }
  Classifier head(
      {.classes = kPeople, .dimension = kDimension, .loss = {"arcface", {{"scale", 32}}}, .sub_centers = 3, .seed = 5},
      at::kFloat);
  const RowRule rule{.rate = .05, .weight_decay = 5e-4};
  constexpr std::int64_t kBatch = 100;
  for (std::int64_t step = 0; step < 400; ++step) {
    const at::Tensor batch = (at::arange(kBatch, at::kLong) * 7 + step * kBatch * 7) % kPictures;
    head.step(e.index_select(0, batch), labels.index_select(0, batch), step, &rule);
  }

  const at::Tensor weight = head.weight().contiguous();
  SubCenters centres({weight.const_data_ptr<float>(), weight.const_data_ptr<float>() + weight.numel()}, kPeople, 3,
                     kDimension);
  for (std::int64_t i = 0; i < kPictures; ++i)
    centres.add(i, labels[i].item<std::int64_t>(), e.const_data_ptr<float>() + i * kDimension);
  const NoiseReport report = centres.report(75);
  const auto found = std::count_if(report.suspects.begin(), report.suspects.end(),
                                   [&](const Suspect& s) { return wrong.contains(s.picture); });
  const auto accused = static_cast<std::int64_t>(report.suspects.size()) - found;
  RecordProperty("found", static_cast<int>(found));
  RecordProperty("accused", static_cast<int>(accused));
  EXPECT_GE(found, 112) << "of 160 wrong labels, 70 %";
  EXPECT_LE(accused, 32) << "of 640 right labels, 5 %";
  EXPECT_EQ(report.emptied, 0);
}

}  // namespace
}  // namespace likeness::train
