// Keeps memory once obtained, for programs that free and ask for the same large buffers at every training step.
#pragma once

#include <cstddef>

namespace likeness::model {

// Call first thing in main(). A step allocates and frees the same few hundred feature maps of up to 100 MB. glibc
// serves each from a fresh mapping and unmaps it when freed, so the kernel clears every page anew at every use (a tenth
// to a third of a MobileFaceNet step, depending on the machine). After this call
//   - tensors of 1 MiB and more on the CPU come from a cache of blocks in huge pages: a freed block waits for the next
//   tensor of
//     about its size. Nothing is given back before the process ends; a trainer needs it again a second later.
//   - other large buffers (oneDNN's, MKL's) stay in glibc's heap, which only grows. Other C libraries: no effect.
// Tensors that exist already keep their memory. The second and later calls do nothing.
void keep_memory();

// What the cache has obtained from the system so far, in bytes, and how much of it is lent out now.
struct KeptMemory {
  std::size_t total = 0, in_use = 0;
};
KeptMemory kept_memory();

}  // namespace likeness::model
