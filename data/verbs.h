// The verbs of likeness-data; each lives in its own verb_<name>.cpp.
#pragma once

#include "core/cli.h"

namespace likeness::data {

Verb make_synth_verb();   // procedural faces with known attributes
Verb make_import_verb();  // any store we read -> *.faces.h5
Verb make_info_verb();    // what a set holds
Verb make_view_verb();    // a contact sheet

}  // namespace likeness::data
