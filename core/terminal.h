// Inside core: the one writer of stderr, so that log lines from any thread and a redrawn progress line never mix.
#pragma once

#include <string>

namespace likeness {

// Whether stderr is a terminal, where a line can be redrawn.
bool stderr_is_terminal();
// Writes one whole line; a status line on the terminal is cleared before and drawn again behind.
void print_line(const std::string& text);
// Draws `text` over the status line; "" removes it. Only on a terminal.
void draw_status(const std::string& text);

}  // namespace likeness
