// What gpu_check was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace likeness::gpu {

struct Options {
  std::string device = "cuda";             // cuda, cuda:N or cpu: what is compared with the CPU's reference form
  bool quick = false;                      // few and small shapes, and one network's speed at two sizes of the head
  bool json = false;                       // one JSON object on stdout, everything else on stderr
  bool help = false;                       // print usage() and stop
  double tolerance = 1;                    // factor on every limit: below 1 shows how near the limits are
  std::string only = {};                   // the checks whose names hold this text; empty: all
  bool speed = true;                       // on cpu only where networks are named: the reference machine is the GPU
  std::vector<std::string> networks = {};  // whose steps are timed; empty: r50, r100, vit_b, with quick r50
  std::vector<std::int64_t> classes = {};  // of their heads; empty: 1 k, 10 k, 100 k, 1 M, 2 M, with quick 1 k, 100 k
  std::int64_t batch = 128;                // pictures a step; halved until it fits, down to 16
  int size = 112;                          // pixels a side
};

// kUsage naming an option that does not exist, or a value that it cannot have.
Options parse_options(int argc, char** argv);
std::string usage();

}  // namespace likeness::gpu
