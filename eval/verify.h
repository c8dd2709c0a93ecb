// Verification of embeddings over a list of trials: what `likeness eval verify` reports, as a function.
//
//   const SetIndex set = SetIndex::of(archive);
//   const Trials trials = read_trials("lfw/pairs.txt", set);          // or stored_trials(source, set), all_trials(set)
//   Result r = verify(archive, trials, {.convention = Convention::kInsightface});
//   r.metrics.at("accuracy").value;                                   // 0.9917
//
// A trainer's validation embeds only what it needs: rows = needed_rows(trials); archive = engine::embed(…, &rows);
// verify(archive, remap(trials, rows), …).
#pragma once

#include <string>
#include <vector>

#include "core/embeddings.h"
#include "core/scores.h"
#include "eval/result.h"
#include "eval/trials.h"

namespace likeness::eval {

enum class Convention {
  kInsightface,  // 10-fold accuracy and val@far=1e-3 by InsightFace's rules (metrics/insightface.h), next to fixed-fmr's figures
  kFixedFmr,     // largest TAR with FMR <= target over all trials: AUC, EER, d', TAR and FNMR at each target
};
std::string to_string(Convention convention);        // "insightface", "fixed-fmr"
Convention parse_convention(const std::string& text);  // kUsage

// Where a threshold is read off: "fmr=1e-3" or "threshold=0.35".
struct OperatingTarget {
  enum class Kind { kFmr, kThreshold } kind = Kind::kFmr;
  double value = 0;
  std::string name(const std::string& rate = "fmr") const;  // "fmr=1e-3", "threshold=0.35"
};
// kUsage: unknown kind, a rate outside (0, 1), a threshold outside [-1, 1]. `rate`: what false accepts are called, "fmr" or "fpir".
OperatingTarget parse_target(const std::string& text, const std::string& rate = "fmr");

struct VerifyOptions {
  Convention convention = Convention::kFixedFmr;
  // What verification papers print; a target the trials cannot support comes out suppressed, with the reason.
  std::vector<OperatingTarget> at = {{OperatingTarget::Kind::kFmr, 1e-1}, {OperatingTarget::Kind::kFmr, 1e-2},
                                     {OperatingTarget::Kind::kFmr, 1e-3}, {OperatingTarget::Kind::kFmr, 1e-4}};
  int threads = 0;     // 0 = all cores; results do not depend on it
  bool plots = true;   // curve and histogram points for the report; a trainer that wants numbers only says false
  // Replicates of the subject bootstrap (eval/intervals.h); 0: Wilson's intervals over pairs, which cost nothing and are too narrow.
  std::int64_t bootstrap = 0;
  std::uint64_t seed = 1;  // of the bootstrap
};

// Rows of `trials` are rows of `archive`. Metrics by name: "auc", "eer", "d_prime", for each target "tar@fmr=…" and
// "fnmr@fmr=…" (or "fmr@threshold", "fnmr@threshold"), and by insightface "accuracy" and "val@far=1e-3". A pair whose picture
// gave no face is a non-match of its class; by insightface its embedding is zero, as there.
// Errors, all kData: not finite or zero embeddings (naming the row), a fold with one class, all pairs by insightface's folds.
// Thread-safe.
Result verify(const EmbeddingArchive& archive, const Trials& trials, const VerifyOptions& options);

// The scores behind it, with subjects hashed by `key` (docs/formats/scores.md). A picture of unknown identity is a subject of
// its own. All pairs are written out: kUsage above 50 M.
ScoreArchive score_archive(const EmbeddingArchive& archive, const Trials& trials, const std::string& key, int threads);

// ---- shared with bias/ -------------------------------------------------------------------------------------------------------

// "model", "data" and "conditions" as far as an archive and its trials know them.
void describe(Result& result, const EmbeddingArchive& archive, const Trials& trials);
// Counts of all trials of either kind of list.
Tally tally(const EmbeddingArchive& archive, const Trials& trials, const Grouping& grouping, const std::vector<OperatingTarget>& at,
            int threads, const std::string& where);
OperatingPoint operate(const Curve& curve, const OperatingTarget& target);

}  // namespace likeness::eval
