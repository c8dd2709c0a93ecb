// The page's template, as it was when the program was built (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace likeness::train {

extern const std::string_view kRunPageTemplate;

}  // namespace likeness::train
