// likeness-data: pictures and labels in, out and looked at.
#include "core/cli.h"
#include "data/verbs.h"

int main(int argc, char** argv) {
  likeness::Program program{"data", "pictures and labels: in, out, and looked at", {}, ""};
#ifdef LIKENESS_HAS_SYNTH
  program.verbs.push_back(likeness::data::make_synth_verb());
#endif
  program.verbs.push_back(likeness::data::make_import_verb());
  program.verbs.push_back(likeness::data::make_info_verb());
  program.verbs.push_back(likeness::data::make_view_verb());
  return likeness::run_program(program, argc, argv);
}
