// Exact one-to-many search: every probe against every gallery entry by tiles of f32 matrix products, without the full
// matrix. A product decides only where its error bound lets it; everything else is decided by Cosines' score in double,
// so that results are those of exact scores, for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "eval/metrics/scoring.h"

namespace likeness::eval {

// A gallery entry that is nobody's mate and a person of its own: a distractor.
inline constexpr std::int64_t kNobody = -1;

// A run of gallery entries. Refers to `faces`; entries whose picture failed are never found.
struct GalleryPart {
  const Cosines* faces = nullptr;
  std::vector<std::int64_t> rows;    // of `faces`, in the order of search; empty: all rows
  std::vector<std::int64_t> people;  // of each row, all entries of a person one after another; empty: kNobody
  std::int64_t size() const { return rows.empty() ? faces->size() : static_cast<std::int64_t>(rows.size()); }
};

struct SearchOptions {
  // Gallery sizes at which ranks and best scores are noted: the first `size` entries, in order. Rising; the first must
  // hold everybody who is enrolled, so that every probe keeps its mate. Empty: the whole gallery.
  std::vector<std::int64_t> sizes = {};
  int candidates = 0;  // entries to list for each probe, the best first
  int threads = 0;     // 0 = all cores
  std::function<void(std::uint64_t comparisons)> progress =
      {};  // called with what has been done since; from any thread
};

struct Candidate {
  std::int64_t entry = -1;  // counted through all parts; -1: the gallery has fewer
  double score = 0;
};

// P probes, S sizes, K candidates; row-major.
struct SearchResult {
  std::vector<std::int64_t> sizes;  // [S] as asked, or the whole gallery
  std::vector<double> mate;         // [P] best score among the entries of the probe's own person; NaN: none, or no face
  std::vector<std::int64_t>
      rank;  // [S,P] 1 + other people with a score >= the mate's (ties count against it); 0 without mate
  std::vector<double> best_other;     // [S,P] best score among other people's entries; NaN without
  std::vector<Candidate> candidates;  // [P,K] by falling score, equal scores in the gallery's order
};

// Probe p is row probe_rows[p] of `probes` and person probe_people[p] (>= 0, numbered as the gallery's people). A
// person with several entries scores as the best of them. A probe without a face finds nobody. Throws Interrupted when
// a stop was asked for. Memory: some 7 MiB per thread at 512 numbers, and the result.
SearchResult search(const Cosines& probes, std::span<const std::int64_t> probe_rows,
                    std::span<const std::int64_t> probe_people, std::span<const GalleryPart> gallery,
                    const SearchOptions& options);

}  // namespace likeness::eval
