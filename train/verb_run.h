// `likeness train run`: arguments in, one run, a result for a person and for --json.
#pragma once

#include "core/cli.h"
#include "train/session.h"

namespace likeness::train {

// `judges` makes the judges of the recipe's `validate`; main wires them to the evaluation.
Verb run_verb(JudgeMaker judges);

}  // namespace likeness::train
