#include "eval/text.h"

#include <cmath>
#include <cstdio>

#include "core/progress.h"

namespace likeness::eval {
namespace {

std::string print(const char* format, int digits, double x) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, format, digits, x);
  return buffer;
}

bool is_alarms(const std::string& name) { return name.starts_with("alarms_per_day@"); }

std::string number_text(const std::string& name, const Measure& m, double x) {
  if (is_alarms(name)) return print("%.*f", x < 10 ? 2 : 0, x);
  return is_rate(name, m) ? rate_text(x) : plain_text(x);
}

}  // namespace

std::string rate_text(double x) {
  if (x == 0) return "0 %";
  if (x == 1) return "100 %";
  if (x < 1e-5) return print("%.*e", 2, x);
  return print("%.*f %%", x < 1e-3 ? 4 : 3, 100 * x);
}

std::string plain_text(double x) { return print("%.*f", 4, x); }

bool is_rate(const std::string& name, const Measure& m) {
  if (is_alarms(name)) return false;  // FPIR times searches a day
  return m.denominator.has_value() || name == "eer" || name.starts_with("val@");
}

std::string value_text(const std::string& name, const Measure& m) { return m.value ? number_text(name, m, *m.value) : "-"; }

std::string count_text(const Measure& m) {
  if (!m.numerator || !m.denominator) return "";
  return format_count(static_cast<std::uint64_t>(*m.numerator)) + "/" + format_count(static_cast<std::uint64_t>(*m.denominator));
}

std::string interval_text(const std::string& name, const Measure& m) {
  if (!m.low || !m.high) return "";
  return number_text(name, m, *m.low) + " to " + number_text(name, m, *m.high);
}

std::string threshold_text(const Measure& m) { return m.threshold ? plain_text(*m.threshold) : ""; }

}  // namespace likeness::eval
