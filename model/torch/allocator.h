// Keeps memory once obtained, for programs that free and ask for the same large buffers at every training step.
#pragma once

namespace likeness::model {

// Call first thing in main(), before anything large is allocated. A step allocates and frees the same few hundred feature maps of
// up to 100 MB. glibc serves each from a fresh mapping and unmaps it when freed, so the kernel clears every page anew at every
// use: measured 25-30 % of a MobileFaceNet step on two cores. This makes glibc keep what it has (one heap that only grows, no
// mappings); the process holds on to its peak memory, which a trainer needs again a second later. Other C libraries: no effect.
// Process-wide and not thread-safe.
void keep_memory();

}  // namespace likeness::model
