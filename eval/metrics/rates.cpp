#include "eval/metrics/rates.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/progress.h"

namespace likeness::eval {
namespace {

// Reads well for 0.03 as for 2,400 expected events.
std::string short_number(double x) {
  if (x >= 1000) return format_count(static_cast<std::uint64_t>(std::llround(x)));
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, x >= 1 ? "%.3g" : "%.2g", x);
  return buffer;
}

std::string count_text(std::int64_t n) { return format_count(static_cast<std::uint64_t>(n)); }

}  // namespace

double normal_quantile(double p) {
  LIKENESS_ASSERT(p > 0 && p < 1);
  if (p == 0.5) return 0;
  // Halley's iteration on the tail probability, from the classical rational starting value (Abramowitz & Stegun 26.2.23,
  // absolute error below 4.5e-4). The step multiplies the error by its own square: three are plenty. Always in the lower
  // tail, where erfc keeps its relative precision.
  const double tail = std::min(p, 1 - p), t = std::sqrt(-2 * std::log(tail));
  double z = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
  for (int i = 0; i < 3; ++i) {
    const double u = (0.5 * std::erfc(-z / std::sqrt(2.0)) - tail) * std::sqrt(2 * M_PI) * std::exp(z * z / 2);
    z -= u / (1 + z * u / 2);
  }
  return p < 0.5 ? z : -z;
}

Limits wilson(std::int64_t k, std::int64_t n, double level) {
  LIKENESS_ASSERT(k >= 0 && k <= n && level > 0 && level < 1);
  if (n == 0) return {0, 1};
  const double z = normal_quantile(0.5 + level / 2), trials = static_cast<double>(n);
  const double p = static_cast<double>(k) / trials, z2 = z * z / trials;
  const double centre = (p + z2 / 2) / (1 + z2);
  const double half = z / (1 + z2) * std::sqrt(p * (1 - p) / trials + z2 / (4 * trials));
  // At the ends the formula gives 0 and 1 up to rounding; say so exactly.
  return {k == 0 ? 0.0 : std::max(0.0, centre - half), k == n ? 1.0 : std::min(1.0, centre + half)};
}

std::string to_string(Support support) {
  switch (support) {
    case Support::kOk: return "ok";
    case Support::kProvisional: return "provisional";
    case Support::kSuppressed: return "suppressed";
  }
  LIKENESS_ASSERT(false);
}

Support parse_support(const std::string& text, const std::string& where) {
  for (Support s : {Support::kOk, Support::kProvisional, Support::kSuppressed})
    if (text == to_string(s)) return s;
  fail_data({"unknown status of a metric", where, "ok, provisional or suppressed", text, ""});
}

Verdict support_of_target(std::int64_t n, double target, const std::string& trials) {
  if (n == 0) return {Support::kSuppressed, "no " + trials};
  const double expected = static_cast<double>(n) * target;
  const std::string why = short_number(expected) + " errors expected among " + count_text(n) + " " + trials;
  if (expected < kFewestEvents) return {Support::kSuppressed, why + "; at least 1 is needed"};
  if (expected < kEnoughEvents) return {Support::kProvisional, why + "; 30 are needed"};
  return {};
}

Verdict support_of_counts(std::int64_t errors, std::int64_t n, const std::string& trials) {
  if (n == 0) return {Support::kSuppressed, "no " + trials};
  const std::int64_t events = std::min(errors, n - errors);
  if (events == 0)
    return {Support::kProvisional, std::string(errors == 0 ? "no error" : "nothing but errors") + " among " + count_text(n) +
                                       " " + trials + ": only a limit is known"};
  if (static_cast<double>(events) < kEnoughEvents)
    return {Support::kProvisional, count_text(events) + (errors == events ? " error" : " non-error") + (events == 1 ? "" : "s") +
                                       " among " + count_text(n) + " " + trials + "; 30 are needed"};
  return {};
}

Verdict support_of_subjects(std::int64_t subjects) {
  if (subjects >= kEnoughSubjects) return {};
  return {Support::kProvisional, count_text(subjects) + (subjects == 1 ? " person; 50 are needed" : " people; 50 are needed")};
}

Verdict weaker(const Verdict& a, const Verdict& b) {
  if (a.support != b.support) return a.support > b.support ? a : b;
  if (a.why.empty() || b.why.empty() || a.why == b.why) return a.why.empty() ? b : a;
  return {a.support, a.why + "; " + b.why};
}

}  // namespace likeness::eval
