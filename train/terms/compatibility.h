// Backward-compatible training: new embeddings that a gallery of old ones can be searched with.
#pragma once

#include "train/head/classifier.h"
#include "train/terms/term.h"

namespace likeness::train {

// The influence loss of Shen et al., "Towards backward-compatible representation learning" (CVPR 2020), section 3.4:
// the classifier's own loss on the same embeddings, but over the old network's class centres, which do not move. They
// are sharded, sampled and streamed as the new ones are.
class Compatibility : public Term {
 public:
  // `centres`: [rows, D] of this rank's classes (not normalised). `options`: of the new classifier.
  Compatibility(ClassifierOptions options, const at::Tensor& centres, double weight, Group& group);
  TermStep step(const TermInput& input) override;
  NamedTensors state() override { return old_.loss().state(); }

 private:
  Classifier old_;
  double weight_;
};

}  // namespace likeness::train
