// Parallel loops over index ranges.
#pragma once

#include <cstddef>
#include <functional>

namespace likeness {

// The number of threads to use: `asked` if > 0, else the cores this process may run on.
int resolve_threads(int asked);

// Calls body(begin, end) over disjoint slices of [0, n) on up to `threads` threads, in slices of at most `grain` (> 0).
// Blocks until all is done. The first exception thrown by a body is rethrown here after the others have stopped.
void parallel_for(std::size_t n, std::size_t grain, int threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& body);

}  // namespace likeness
