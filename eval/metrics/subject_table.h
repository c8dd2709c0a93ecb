// Comparisons sorted for counting again under other weights of the people in them: what every resampling of subjects
// reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/scores.h"
#include "eval/metrics/curve.h"

namespace likeness::eval {

// G genuine and I impostor comparisons among S people. Both sides of a genuine comparison are one person: subjects that
// the list calls the same (pictures of unknown identity) are joined. Comparisons whose picture gave no face stand at
// the end.
struct SubjectTable {
  std::int64_t subjects = 0;             // S: people of the whole archive, so that tables share numbers
  Curve curve;                           // complete; its counts are lengths of the sorted lists below
  std::vector<std::int32_t> genuine_of;  // [G] person, by falling score
  std::vector<std::int32_t> impostor_a,
      impostor_b;                           // [I] people, by falling score; b is S where both sides are one person
  std::vector<std::int32_t> impostor_pair;  // [I] number of the two people's pair
  std::vector<std::int64_t> impostor_row;   // [I] row of the archive
  std::int32_t pairs = 0;                   // distinct pairs of people
  std::int64_t genuine_subjects = 0, impostor_subjects = 0;  // people who occur in either list

  std::int64_t genuine_total() const { return curve.genuine_total; }
  std::int64_t impostor_total() const { return curve.impostor_total; }
};

// The person of each subject of the archive, 0 .. S-1; S is returned in `people` (joined subjects share a number).
std::vector<std::int32_t> join_subjects(const ScoreArchive& scores, std::int64_t* people);

// `rows`: the comparisons to take, rising; all when absent.
SubjectTable subject_table(const ScoreArchive& scores, const std::vector<std::int32_t>& person, std::int64_t people,
                           const std::vector<std::int64_t>* rows = nullptr);

// How far the replicates of an impostor rate may be believed. Drawing people with replacement gives the pair (a, b) the
// weight w_a w_b, whose variance is 3 where that of a pair's own noise is 1: rates of rare errors, which are nearly all
// such noise, would get intervals up to sqrt(3) too wide (the pigeonhole bootstrap: Owen 2007). The variance that is
// due is known from the residuals e: with r_a their sum over a person's comparisons and E_ab over a pair of people's,
// it is sum r_a^2 - sum E_ab^2 (the dyadic cluster estimate: Fafchamps & Gubert 2007; for biometrics Schuckers 2010),
// while drawing gives sum r_a^2 + sum E_ab^2. Returns the square root of their ratio, in [sqrt(1/3), 1]: the share of a
// replicate's deviation to keep. residual: one number per impostor comparison in the table's order (an error, its
// share, or the difference of two models').
double noise_share(const SubjectTable& table, std::span<const double> residual);

}  // namespace likeness::eval
