// Identification of one among many: what `likeness eval identify` reports, as a function.
//
// A search is mated when its person is enrolled in the gallery. Over mated searches, rank-k and CMC: the share whose
// mate stands among the k best people. Open set, at a threshold t (accept iff s >= t) and a list of R people:
//   FPIR(N, t)     non-mated searches in which anybody of the N entries scores >= t
//   FNIR(N, R, t)  mated searches whose mate is below t, or not among the R best; TPIR = 1 - FNIR
// The threshold of an FPIR target is the smallest with FPIR <= target; equal scores are accepted or rejected together.
// Other people with the mate's very score stand before it. A probe without a face finds nobody: a miss, and never a
// false alarm.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/mapped_embeddings.h"
#include "eval/enrolment.h"
#include "eval/metrics/search.h"
#include "eval/result.h"
#include "eval/verify.h"

namespace likeness::eval {

struct IdentifyOptions {
  // Rates are of false positive identification. What the searches cannot support comes out suppressed, with the reason.
  std::vector<OperatingTarget> at = {
      {OperatingTarget::Kind::kFmr, 1e-1}, {OperatingTarget::Kind::kFmr, 1e-2}, {OperatingTarget::Kind::kFmr, 1e-3}};
  std::int64_t rank = 1;          // R: a watch-list usually shows its best candidate only
  std::int64_t traffic = 10'000;  // searches a day of people who are not enrolled: a busy door
  int candidates = 0;             // entries to return for each probe
  int threads = 0;                // 0 = all cores; results do not depend on it
  bool plots = true;              // curves and CMC for the report
  std::function<void(std::uint64_t comparisons)> progress = {};
};

struct Identification {
  Result result;
  std::vector<SearchResult>
      searches;  // one for each gallery; probes as in the enrolment, entries: gallery, distractors, archives
};

// `entries` are the templates of `enrolment`, pooled. `distractors` are archives whose every row is an entry that is
// nobody's mate. Metrics: "rank1", "rank5" … (as far as the gallery reaches), for each target "tpir@fpir=…",
// "fnir@fpir=…" and "alarms_per_day@fpir=…" (traffic x FPIR), or "…@threshold" with "fpir@threshold". Groups: each
// gallery where there are several (the metrics are then their mean, counts added up), and with distractors each size N
// of the gallery at which it was looked at, so that the growth of both errors with N is measured, not extrapolated.
// Errors: kData for embeddings that are not finite or zero (naming the row), archives of another contract.
Identification identify(const EmbeddingArchive& entries, const Enrolment& enrolment,
                        std::span<const MappedEmbeddings> distractors, const IdentifyOptions& options);

}  // namespace likeness::eval
