// `likeness train weights convert|inspect|diff|average`: what is done to weights outside training.
#pragma once

#include "core/cli.h"

namespace likeness::train {

Verb weights_verb();

}  // namespace likeness::train
