// How the parts of a metric are written for people, alike on the terminal and in reports.
#pragma once

#include <string>

#include "eval/result.h"

namespace likeness::eval {

std::string rate_text(double x);   // "99.217 %", "0.0295 %", "3.20e-06": a percentage where it reads well
std::string plain_text(double x);  // "0.3079"
bool is_rate(const std::string& name, const Measure& m);

// "-" or "" where the measure lacks the part.
std::string value_text(const std::string& name, const Measure& m);     // "99.217 %"; "-" when suppressed
std::string count_text(const Measure& m);                              // "2,992/3,000"
std::string interval_text(const std::string& name, const Measure& m);  // "98.904 % to 99.367 %"
std::string threshold_text(const Measure& m);                          // "0.3079"

}  // namespace likeness::eval
