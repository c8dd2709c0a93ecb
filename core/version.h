// What this build is, for --version, run folders and model metadata.
#pragma once

#include <string>

namespace likeness {

std::string version();       // "0.1.0"
std::string git_revision();  // 12 digits, with "+changes" when the tree was not clean; "unknown" outside git
std::string cpu_features();  // "avx2 fma avx512f …" as this machine has them
std::string version_text();  // several lines: version, revision, compiler, libraries with versions, CPU

}  // namespace likeness
