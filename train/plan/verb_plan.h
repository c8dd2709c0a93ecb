// `likeness train plan`: memory, communication and time of a run before it is started.
#pragma once

#include "core/cli.h"

namespace likeness::train {

Verb plan_verb();

}  // namespace likeness::train
