// Rates with counts: Wilson intervals and the one rule for what the data supports (docs/evaluation.md).
#pragma once

#include <cstdint>
#include <string>

namespace likeness::eval {

// A closed interval of a rate, in [0, 1].
struct Limits {
  double low = 0, high = 1;
};

// Inverse of the standard normal distribution, 0 < p < 1; accurate to a few units in the last place.
double normal_quantile(double p);

// Wilson's score interval of k events in n independent trials (Wilson 1927). Exact ends: k = 0 gives low 0, k = n gives
// high 1; n = 0 gives [0, 1]. Trials that share subjects are not independent: the interval is then too narrow, which is why
// a result always states its unit ("pair").
Limits wilson(std::int64_t k, std::int64_t n, double level = 0.95);

// What may be said about a rate.
enum class Support {
  kOk,           // value and interval
  kProvisional,  // value and interval, marked: few events
  kSuppressed,   // no value: less than one expected event
};
std::string to_string(Support support);          // "ok", "provisional", "suppressed"
Support parse_support(const std::string& text, const std::string& where);  // kData naming `where`

struct Verdict {
  Support support = Support::kOk;
  std::string why;  // empty when ok
};

// Events below which a rate is suppressed or provisional ("rule of 30", Doddington et al. 2000), and subjects a group needs.
inline constexpr double kFewestEvents = 1, kEnoughEvents = 30;
inline constexpr std::int64_t kEnoughSubjects = 50;

// A rate fixed by a target: n * target events are expected.
Verdict support_of_target(std::int64_t n, double target, const std::string& trials);
// A rate without target: the smaller of observed errors and non-errors; none at all is provisional with an upper limit.
Verdict support_of_counts(std::int64_t errors, std::int64_t n, const std::string& trials);
// A group of fewer than 50 subjects is provisional at best.
Verdict support_of_subjects(std::int64_t subjects);
// The less supported of two; reasons are joined when both are equally bad.
Verdict weaker(const Verdict& a, const Verdict& b);

}  // namespace likeness::eval
