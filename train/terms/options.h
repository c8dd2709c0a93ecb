// What a recipe says about losses beside the classifier's, without Torch.
#pragma once

#include <map>
#include <string>

#include "core/config.h"
#include "engine/engine.h"

namespace likeness::train {

// A model from elsewhere that looks at the training pictures. What a file says itself need not be said.
struct GuideOptions {
  std::string model = {};       // run folder, checkpoint, .safetensors or .onnx; "": none
  std::string preprocess = {};  // of a foreign ONNX file, see EngineOptions
  std::string geometry = {};
  bool on() const { return !model.empty(); }
  engine::EngineOptions engine_options(int threads, bool cuda) const;  // kUsage when `preprocess` is malformed
};

// Knowledge distillation (Hinton et al., 2015): the network is drawn towards what a teacher says about the same
// pictures.
struct DistillOptions {
  GuideOptions teacher;
  double embedding = 10;  // weight of 1 - cosine between the two embeddings. It pulls by this much per unit of cosine;
                          // cross-entropy pulls a sample to its centre by at most head.scale
  double logits = 0;      // weight of the divergence between the two classifiers' softmax; needs a run as teacher
  std::string teacher_hash = {};  // filled in once it is open
  double temperature = 4;         // of both softmaxes; the divergence counts times its square, so that its pull stays
};

// Backward-compatible training (Shen et al., "Towards backward-compatible representation learning", CVPR 2020): the new
// network's embeddings are also classified by the old one's class centres, so that a gallery embedded by the old
// network can be searched with the new one.
struct CompatibleOptions {
  GuideOptions old;
  double weight = 1;          // of this loss beside the classifier's own, lambda in the paper
  std::string old_hash = {};  // filled in once it is open: its weights, and what stands for its classifier
};

// `distill.*` and `compatible_*`. Errors as Config's.
DistillOptions read_distill(Config& config);
CompatibleOptions read_compatible(Config& config);

}  // namespace likeness::train
