// Where class centres begin: from the pictures, or from a run that knows some of the identities already.
#pragma once

#include "core/preprocess.h"
#include "data/face_source.h"
#include "model/torch/module.h"
#include "train/head/classifier.h"
#include "train/recipe.h"

namespace likeness::train {

// Gives the head the centres that `head.centres` asks for; `random` leaves it as it is.
//   data  the mean direction of the class's embeddings, each of length 1, by the network as it is in evaluation mode
//   run   the centres of `backbone.init`'s checkpoint for the identities that have the same name; the others as `data`
// Length: that of random centres (head.init_std sqrt(D)), or the mean of those kept, so that all turn equally fast.
// With K centres per class the first is the mean and the others stand around it. A class none of whose pictures can be
// read keeps its random centres. One evaluation of the pictures of this rank's classes. Ranks need not meet. kData
// naming the checkpoint: another width or number of centres per class, no identity in common; and as engine::embed.
void start_centres(Classifier& head, model::TorchModel& model, const ModelContract& contract,
                   const data::FaceSource& source, const Recipe& recipe);

}  // namespace likeness::train
