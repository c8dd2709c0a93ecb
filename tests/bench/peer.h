// Another system's figures for the same cases, measured beforehand (scripts/bench.sh train).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

namespace likeness::bench {

// Takes --peer=FILE out of the arguments and reads its lines "CASE NUMBER"; empty without that option.
inline std::map<std::string, double> take_peer_figures(int& argc, char** argv) {
  std::map<std::string, double> figures;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--peer=", 7) != 0) continue;
    std::ifstream in(argv[i] + 7);
    if (!in) std::fprintf(stderr, "%s cannot be read\n", argv[i] + 7), std::exit(2);
    std::string name;
    for (double value; in >> name >> value;) figures[name] = value;
    for (int k = i; k + 1 < argc; ++k) argv[k] = argv[k + 1];
    --argc;
    break;
  }
  return figures;
}

}  // namespace likeness::bench
