// likeness-data: pictures and labels in, out and looked at.
#include "core/cli.h"
#include "data/verbs.h"

int main(int argc, char** argv) {
  using namespace likeness::data;  // NOLINT: a table of verbs
  const likeness::Program program{"data",
                                  "pictures and labels: in, out, and looked at",
                                  {make_synth_verb(), make_import_verb(), make_info_verb(), make_view_verb()},
                                  ""};
  return likeness::run_program(program, argc, argv);
}
