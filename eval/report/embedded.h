// The report's page, style, script and chart library, as they were when the program was built (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace likeness::eval {

extern const std::string_view kPageTemplate, kPageStyle, kPageScript, kChartLibrary;

}  // namespace likeness::eval
