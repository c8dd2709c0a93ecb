// Drawing a network towards a teacher: by the teacher's embeddings, by its classifier, or by both.
#pragma once

#include <cstdint>
#include <functional>

#include "train/dist/group.h"
#include "train/terms/logit_distance.h"
#include "train/terms/term.h"

namespace likeness::train {

// [B,H,W,3] u8 on the CPU -> the teacher's raw embeddings [B,E] f32 on the CPU.
using Teacher = std::function<at::Tensor(const at::Tensor& pixels)>;

struct DistillationOptions {
  double embedding = 0;  // weight of the mean of 1 - cosine; 0: none
  double logits = 0;     // weight of logit_distance; 0: none
  LogitOptions softmax = {};
  at::Tensor taught_centres = {};     // [c,E] for the classes of this rank; for logits
  std::int64_t dimension = 0;         // D, of the student
  std::int64_t taught_dimension = 0;  // E
  at::TensorOptions type = {};        // of the student's embeddings: dtype and device
  std::uint64_t seed = 0;             // of the projection
};

// 1 - cosine is half the squared distance of the normalised embeddings: the two forms found in the literature differ by
// a factor of 2 in the weight. Where the widths differ, the student's embedding first goes through a linear map [E,D]
// that is trained with it and shipped with nothing; it starts as N(0, 1/D).
class Distillation : public Term {
 public:
  Distillation(DistillationOptions options, Teacher teacher, Group& group);
  TermStep step(const TermInput& input) override;
  bool wants_centre_gradient() const override { return options_.logits > 0; }
  NamedTensors parameters() override;

 private:
  DistillationOptions options_;
  Teacher teacher_;
  Group& group_;
  at::Tensor projection_;  // [E,D], or undefined
};

}  // namespace likeness::train
