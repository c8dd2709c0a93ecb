// Every loss of the table (loss.cpp), each described in its own file.
#pragma once

#include "train/head/loss.h"

namespace likeness::train {

extern const LossEntry kArcface, kCosface, kCombined, kSphereface;  // margins.cpp
extern const LossEntry kAdaface;                                    // adaface.cpp
extern const LossEntry kMagface;                                    // magface.cpp
extern const LossEntry kCurricularface;                             // curricularface.cpp
extern const LossEntry kElasticArcface, kElasticCosface;            // elasticface.cpp
extern const LossEntry kUniface;                                    // uniface.cpp
extern const LossEntry kSphereface2;                                // sphereface2.cpp

}  // namespace likeness::train
