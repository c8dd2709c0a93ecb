// `--ranks N`: starts N processes of this program on this machine, watches over them and ends with them.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace likeness::train {

struct LaunchOptions {
  int ranks = 2;
  std::vector<std::string> arguments = {};  // of each rank, argv[0] first; see own_arguments()
  std::string program = "/proc/self/exe";   // this very program, even if its file was replaced meanwhile
  // True: the stdout of the other ranks is dropped, for programs whose every rank prints the same result. Messages go
  // to stderr and are kept. False: every rank has our stdout as it is.
  bool only_rank_0_prints = false;
  // After the first rank has failed: how long the others may take to notice and say why. Longer than the group's
  // time-out, or they are ended before they can.
  std::chrono::milliseconds grace = std::chrono::minutes(6);
  // Then they get SIGTERM, and after this time SIGKILL, which ends a stopped process, too.
  std::chrono::milliseconds kill_after = std::chrono::seconds(10);
  // Told at once what happens to ranks, one line each; may be empty.
  std::function<void(const std::string& line)> report = {};
};

// Each rank has torchrun's variables (RANK … MASTER_PORT), our stdout and stderr as they are, no stdin, and a process
// group of its own: Ctrl-C reaches us alone, and SIGINT and SIGTERM that we get are passed on once to every rank.
// Returns when all ranks are gone, with the exit code for this program:
//   0        all ranks returned 0
//   130, 143 interrupted, and every rank ended by itself with 0 or that code
//   5        the first rank to fail was killed by a signal; `report` names rank, process and signal
//   else     the code of the first rank to fail
// The ranks die with us, even if we are killed; so they do if the thread that called ends. Call it before other threads
// are started: they could take the signals. kEnvironment when a process cannot be started; none is left behind.
int launch_ranks(const LaunchOptions& options);

// A TCP port of the loopback address that nobody listens on now. kEnvironment when there is none.
int free_port();

// N of `--ranks N` or `--ranks=N` among the arguments, 1 where it is not; kUsage if it is no number of ranks. Read
// before anything is parsed: a launcher must not have redirected its stdout, nor started a thread.
int asked_ranks(const std::vector<std::string>& arguments);
// The command line of this process without `--ranks N` or `--ranks=N`.
std::vector<std::string> own_arguments();
std::vector<std::string> without_ranks(std::vector<std::string> arguments);

}  // namespace likeness::train
