// How far a network's classifier is from a teacher's: the divergence between their softmax over the same identities.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/dist/group.h"

namespace likeness::train {

struct LogitOptions {
  double scale = 64, taught_scale = 64;  // of student's and teacher's cosines
  double temperature = 4;                // T
};

struct LogitStep {
  at::Tensor loss;  // T^2 KL(teacher || student), mean over the samples of all ranks, 0-dimensional
  at::Tensor by_embeddings, by_centres;  // its gradients; the former times the number of ranks, as the classifier's
};

// Hinton et al., "Distilling the knowledge in a neural network" (2015): p = softmax(scale / T * cosine) for both,
// without margins, over the classes of all ranks. embeddings [B,D], centres [c,D] this rank's classes; taught [B,E] and
// taught_centres [c,E] the teacher's, constants. Nothing need be normalised. All of one floating type and device. Rows
// of a rank's classes and B x C logits of both exist as a whole: 5 (B ranks) c numbers.
LogitStep logit_distance(const at::Tensor& embeddings, const at::Tensor& centres, const at::Tensor& taught,
                         const at::Tensor& taught_centres, const LogitOptions& options, Group& group);

}  // namespace likeness::train
