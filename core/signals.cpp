#include "core/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "core/error.h"

namespace likeness {
namespace {

std::atomic<int> requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch nothing else");

void handle(int signal) {
  if (signal == SIGINT && requested == SIGINT) ::_exit(128 + SIGINT);  // asked twice: the user does not want to wait
  requested = signal;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = handle;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags =
      SA_RESTART;  // reads and writes in progress go on; loops notice the request at their next safe point
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);  // a file size limit becomes an error of write(), reported like a full disk
}

int stop_signal() { return requested; }

void throw_if_stopped() {
  if (const int signal = requested; signal != 0) throw Interrupted(signal);
}

void set_stop_signal(int signal) { requested = signal; }

}  // namespace likeness
