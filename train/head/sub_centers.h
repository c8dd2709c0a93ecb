// What sub-centres know about label noise. With K centres per identity of which the nearest counts, most pictures
// gather around one, the dominant centre, and wrongly labelled ones around the others. Pictures far from the dominant
// centre are dropped, and training is repeated with one centre: Deng et al., "Sub-center ArcFace", ECCV 2020, section
// 3.4; insightface's drop.py.
#pragma once

#include <cstdint>
#include <vector>

namespace likeness::train {

struct Suspect {
  std::int64_t picture = 0, label = 0;
  int nearest = 0, dominant = 0;  // of the identity's centres
  double cosine = 0;              // with the dominant one
};

struct NoiseReport {
  std::vector<Suspect> suspects;  // in the order the pictures were added
  std::vector<int> dominant;      // [C]: the centre nearest to most of an identity's pictures, the first of equals
  std::int64_t pictures = 0;      // added
  std::int64_t identities = 0;    // with pictures
  std::int64_t emptied = 0;       // of those, the ones all of whose pictures are suspects
};

// Not thread-safe. Keeps K + 4 numbers for each picture.
class SubCenters {
 public:
  // rows [C*K, D], class-major, of any length other than 0.
  SubCenters(std::vector<float> rows, std::int64_t classes, int per_class, std::int64_t dimension);
  // embedding [D], of any length; label in [0, C).
  void add(std::int64_t picture, std::int64_t label, const float* embedding);
  // Suspects are the pictures whose angle to their identity's dominant centre is `degrees` or more.
  NoiseReport report(double degrees) const;
  // [C, D] the dominant centres as they were given: a start for training with one centre per identity.
  std::vector<float> dominant_rows(const NoiseReport& report) const;

 private:
  std::vector<float> rows_;
  std::int64_t classes_, dimension_;
  int per_class_;
  std::vector<std::int64_t> pictures_, labels_;
  std::vector<float> cosines_;  // [pictures, K]
};

}  // namespace likeness::train
