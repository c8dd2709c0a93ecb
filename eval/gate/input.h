// Inside gate/: what does not need scores - a result file's answer, and the guards of the data.
#pragma once

#include "eval/gate/gate.h"

namespace likeness::eval {

// From a result file: its own interval, if that is over people and of a level that alpha asks for; else inconclusive,
// saying why.
std::vector<GateCell> judge_result(const Gate& gate, const Result& result, const GateSpec& spec);

// What was judged, as JSON. kData where trials, counts, failed pictures, precision or flip are not the specification's.
nlohmann::json check_data(const GateSpec& spec, const GateInput& input);

}  // namespace likeness::eval
