// Which of our vector loops this CPU can run. Loops are compiled once per set and chosen at run time.
#pragma once

namespace likeness {

enum class Isa { kBaseline, kAvx2, kAvx512 };

bool supported(Isa isa);
Isa newest_supported();
// Multiplies bf16 in hardware: elsewhere bf16 arithmetic is emulated and slower than f32.
bool multiplies_bf16();

}  // namespace likeness
