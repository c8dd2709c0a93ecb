// Ctrl-C and SIGTERM: noticed at safe points, never in the middle of a write.
#pragma once

namespace likeness {

// Installs handlers for SIGINT and SIGTERM; a second SIGINT ends the program at once. Call once from main.
void install_signal_handlers();
// 0, or the signal that asked us to stop.
int stop_signal();
// Throws Interrupted if a stop was asked for. Long loops call it once per item.
void throw_if_stopped();
// For tests: as if the signal had arrived; 0 clears it.
void set_stop_signal(int signal);

}  // namespace likeness
