// What this build is, for --version, run folders and model metadata.
#pragma once

#include <string>
#include <vector>

namespace likeness {

std::string version();       // "0.1.0"
std::string git_revision();  // 12 digits, with "+changes" when the tree was not clean; "unknown" outside git
std::string cpu_features();  // "avx2 fma avx512f …" as this machine has them
// Several lines: version, revision, compiler, libraries with versions, CPU. `libraries` ("OpenCV 4.6.0") are those that
// the program links besides core's own.
std::string version_text(const std::vector<std::string>& libraries = {});

}  // namespace likeness
