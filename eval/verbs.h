// The verbs of likeness-eval; each lives in its own verb_<name>.cpp.
#pragma once

#include "core/cli.h"

namespace likeness::eval {

Verb make_embed_verb();   // a model and a set -> *.emb.h5
Verb make_verify_verb();  // pairs: accuracy, TAR at FMR, with counts and intervals
Verb make_identify_verb();  // one among many: rank-k, FNIR at FPIR
Verb make_bias_verb();    // error rates of groups at one threshold
Verb make_compare_verb(); // is model B better than A, paired
Verb make_gate_verb();    // pass, fail or inconclusive, for CI
Verb make_report_verb();  // results -> one HTML page

}  // namespace likeness::eval
