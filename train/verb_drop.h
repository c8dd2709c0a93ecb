// `likeness train drop`: the pictures a run with sub-centres takes for mislabelled, as a list that a recipe can
// exclude.
#pragma once

#include "core/cli.h"

namespace likeness::train {

Verb drop_verb();

}  // namespace likeness::train
