// likeness-eval: how good a model is, for whom, and how surely that is known.
#include "core/cli.h"
#include "eval/verbs.h"

int main(int argc, char** argv) {
  using namespace likeness::eval;
  return likeness::run_program({.stage = "eval",
                                .summary = "accuracy with intervals, demographic differentials, reports",
                                .verbs = {make_embed_verb(), make_verify_verb(), make_identify_verb(), make_bias_verb(), make_compare_verb(),
                                          make_gate_verb(), make_report_verb()}},
                               argc, argv);
}
