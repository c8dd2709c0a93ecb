// Error rates of demographic groups at one global threshold, with counts: what `likeness eval bias` reports, as a function.
#pragma once

#include <string>
#include <vector>

#include "core/embeddings.h"
#include "eval/result.h"
#include "eval/trials.h"
#include "eval/verify.h"

namespace likeness::eval {

struct BiasOptions {
  std::vector<std::string> by;  // attributes; several make intersections: {"gender", "race"}
  // One threshold for everybody. An FMR is read off the pooled impostors of these trials, which the result calls in-sample: it
  // depends on the mix of groups in the set. A threshold fixed elsewhere does not: threshold=0.35.
  OperatingTarget at = {OperatingTarget::Kind::kFmr, 1e-3};
  int threads = 0;     // 0 = all cores; results do not depend on it
  bool plots = true;   // curves and histograms per group for the report
};

// Which group each picture of the archive is in. A value of several categories ("asian+black") is a group of its own; a picture
// with any of the attributes unknown is in no group. kUsage naming the attributes there are, when one is missing or `by` empty;
// kData when no picture is in a group.
struct GroupTable {
  Grouping grouping;
  std::vector<Where> names;                 // [groups]
  std::vector<std::int64_t> subjects;       // [groups + 1] distinct subjects; the last is the unknown
  std::vector<std::int64_t> pictures, failed;
};
GroupTable group_pictures(const EmbeddingArchive& archive, const std::vector<std::string>& by);

// groups: one entry per group (same-group impostors: FMR; its genuine pairs: FNMR; its pictures: FTA), then one per pair of
// groups (cross-group impostors: FMR), ordered probe x reference for listed pairs, once per unordered pair for all pairs of a
// set. The unknown are a group {"gender": "unknown"} that enters no ratio. A genuine pair whose pictures are in different groups
// is in none; conditions counts them. Support: design's rule, and at least 50 subjects; what is suppressed stays listed.
// differentials: halves for FMR and FNMR over the groups whose rate is ok, each naming them; where fewer than two are, over the
// provisional as well, and marked so.
// Errors as verify(), and of group_pictures(). Thread-safe.
Result bias(const EmbeddingArchive& archive, const Trials& trials, const BiasOptions& options);

}  // namespace likeness::eval
