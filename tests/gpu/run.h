#pragma once

namespace likeness::gpu {

// What gpu_check does; its exit code. likeness::Error for wrong use and for what is missing.
int run(int argc, char** argv);

}  // namespace likeness::gpu
