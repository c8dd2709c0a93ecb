#include "train/dist/launch.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/error.h"

namespace likeness::train {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kLostRank = static_cast<int>(ErrorKind::kEnvironment);  // exit code for a rank that was killed

[[noreturn]] void fail_to_start(const std::string& what, int error) {
  fail_environment({.what = what,
                    .where = "--ranks",
                    .expected = "as many processes as ranks",
                    .got = std::strerror(error),
                    .hint = "ulimit -u and the job's limits bound the number of processes"});
}

std::vector<std::string> environment_of(int rank, int size, int port) {
  const std::vector<std::pair<std::string, std::string>> ours{
      {"RANK", std::to_string(rank)},       {"WORLD_SIZE", std::to_string(size)},
      {"LOCAL_RANK", std::to_string(rank)}, {"LOCAL_WORLD_SIZE", std::to_string(size)},
      {"MASTER_ADDR", "127.0.0.1"},         {"MASTER_PORT", std::to_string(port)}};
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) {
    const std::string text = *line;
    const bool replaced = std::any_of(ours.begin(), ours.end(),
                                      [&](const auto& variable) { return text.starts_with(variable.first + "="); });
    if (!replaced) lines.push_back(text);
  }
  for (const auto& [name, value] : ours) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// SIGINT, SIGTERM and SIGCHLD are kept for sigtimedwait() while ranks run.
class HeldSignals {
 public:
  HeldSignals() {
    ::sigemptyset(&held_);
    for (int signal : {SIGINT, SIGTERM, SIGCHLD}) ::sigaddset(&held_, signal);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
    child_action_ = ::signal(SIGCHLD, SIG_DFL);  // where it is ignored, as some parents leave it, exit codes are lost
  }
  ~HeldSignals() {
    ::signal(SIGCHLD, child_action_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  const sigset_t& before() const { return before_; }
  // SIGINT or SIGTERM; 0 when a child changed, or after `limit`.
  int next(std::chrono::milliseconds limit) const {
    const timespec time{.tv_sec = limit.count() / 1000, .tv_nsec = limit.count() % 1000 * 1'000'000};
    const int signal = ::sigtimedwait(&held_, nullptr, &time);
    return signal == SIGINT || signal == SIGTERM ? signal : 0;
  }

 private:
  sigset_t held_{}, before_{};
  void (*child_action_)(int) = SIG_DFL;
};

struct Child {
  pid_t pid = 0;
  bool running = false;
};

// Only what is allowed between fork and exec happens in the new process.
pid_t start(const LaunchOptions& options, const std::vector<std::string>& environment, bool prints,
            const sigset_t& mask) {
  const std::vector<char*> argv = pointers(options.arguments), envp = pointers(environment);
  int failed[2];  // tells us the error of exec; closed by its success
  if (::pipe2(failed, O_CLOEXEC) != 0) fail_to_start("a rank cannot be started", errno);
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kLostRank);  // it died before we asked to be told
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    if (!prints) ::dup2(null, STDOUT_FILENO);
    for (int signal : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE}) ::signal(signal, SIG_DFL);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    ::execve(options.program.c_str(), argv.data(), envp.data());
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(failed[1], &error, sizeof error);
    ::_exit(127);
  }
  int error = pid < 0 ? errno : 0;
  ::close(failed[1]);
  if (pid > 0) {
    ::setpgid(pid, pid);  // here, too: whoever comes first
    if (::read(failed[0], &error, sizeof error) == sizeof error) ::waitpid(pid, nullptr, 0);
  }
  ::close(failed[0]);
  if (error != 0) fail_to_start("a rank cannot be started from " + options.program, error);
  return pid;
}

class Ranks {
 public:
  explicit Ranks(const LaunchOptions& options) : options_(options) {}
  ~Ranks() {
    kill_all(SIGKILL);
    for (Child& child : children_)
      if (child.running) ::waitpid(child.pid, nullptr, 0);
  }
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  void start_all() {
    const int port = free_port();
    for (int rank = 0; rank < options_.ranks; ++rank) {
      const bool prints = rank == 0 || !options_.only_rank_0_prints;
      const auto environment = environment_of(rank, options_.ranks, port);
      children_.push_back({start(options_, environment, prints, signals_.before()), true});
    }
  }
  int wait_for_all();

 private:
  void say(const std::string& line) const {
    if (options_.report) options_.report(line);
  }
  std::string name_of(std::size_t rank) const {
    return "rank " + std::to_string(rank) + " (process " + std::to_string(children_[rank].pid) + ")";
  }
  void kill_all(int signal) const {
    for (const Child& child : children_)
      if (child.running) ::kill(-child.pid, signal);  // not reaped, so the number is still its own
  }
  bool any_running() const {
    return std::any_of(children_.begin(), children_.end(), [](const Child& child) { return child.running; });
  }
  void reap();
  void ended(std::size_t rank, int status);
  void end_the_others();

  const LaunchOptions& options_;
  HeldSignals signals_;
  std::vector<Child> children_;
  std::vector<int> passed_on_;  // SIGINT, SIGTERM
  std::optional<int> stopped_;  // exit code of the first rank that ended as such a signal asks
  std::optional<int> failed_;   // exit code of the first rank that failed
  std::optional<Clock::time_point> deadline_;
  bool terminated_ = false;  // the grace time is over
};

void Ranks::ended(std::size_t rank, int status) {
  const bool killed = WIFSIGNALED(status);
  const int code = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (code == 0) return;
  if (!deadline_) deadline_ = Clock::now() + options_.grace;
  if (std::find(passed_on_.begin(), passed_on_.end(), code - 128) != passed_on_.end()) {
    if (!stopped_) stopped_ = code;
    return;
  }
  if (!failed_) failed_ = killed ? kLostRank : code;
  if (terminated_) return;  // that was us
  say(name_of(rank) +
      (killed ? " was killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")"
              : " ended with exit code " + std::to_string(code)));
}

void Ranks::reap() {
  for (std::size_t rank = 0; rank < children_.size(); ++rank) {
    int status = 0;
    if (!children_[rank].running || ::waitpid(children_[rank].pid, &status, WNOHANG) != children_[rank].pid) continue;
    children_[rank].running = false;
    ended(rank, status);
  }
}

void Ranks::end_the_others() {
  std::string list;
  for (std::size_t rank = 0; rank < children_.size(); ++rank)
    if (children_[rank].running) list += (list.empty() ? "" : ", ") + name_of(rank);
  say(list + (terminated_ ? " did not heed SIGTERM: SIGKILL" : " went on after a rank was gone: SIGTERM"));
  kill_all(terminated_ ? SIGKILL : SIGTERM);
  terminated_ = true;
  deadline_ = Clock::now() + options_.kill_after;
}

int Ranks::wait_for_all() {
  for (reap(); any_running(); reap()) {
    // The step bounds how late a deadline is noticed; signals and ends of ranks are noticed at once.
    if (const int signal = signals_.next(std::chrono::milliseconds(50)); signal != 0) {
      passed_on_.push_back(signal);
      kill_all(signal);
    } else if (deadline_ && Clock::now() >= *deadline_) {
      reap();
      if (any_running()) end_the_others();
    }
  }
  return failed_ ? *failed_ : stopped_.value_or(0);
}

}  // namespace

// Another program may take it before rank 0 does, who then says so.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool found = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!found) fail_to_start("no port for the ranks to meet at", error);
  return ntohs(address.sin_port);
}

int launch_ranks(const LaunchOptions& options) {
  LIKENESS_ASSERT(options.ranks >= 1);
  LIKENESS_ASSERT(!options.arguments.empty());
  Ranks ranks(options);
  ranks.start_all();
  return ranks.wait_for_all();
}

int asked_ranks(const std::vector<std::string>& arguments) {
  constexpr int kMax = 4096;  // on one machine
  int ranks = 1;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] != "--ranks" && !arguments[i].starts_with("--ranks=")) continue;
    const std::string text = arguments[i] != "--ranks"  ? arguments[i].substr(8)
                             : i + 1 < arguments.size() ? arguments[i + 1]
                                                        : "nothing";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ranks);
    if (error != std::errc() || end != text.data() + text.size() || ranks < 1 || ranks > kMax)
      fail_usage({.what = "not a number of ranks",
                  .where = "--ranks",
                  .expected = "1 … " + std::to_string(kMax),
                  .got = text});
  }
  return ranks;
}

std::vector<std::string> without_ranks(std::vector<std::string> arguments) {
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--ranks")
      ++i;
    else if (!arguments[i].starts_with("--ranks="))
      kept.push_back(std::move(arguments[i]));
  }
  return kept;
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string text; std::getline(file, text, '\0');) arguments.push_back(text);
  return without_ranks(std::move(arguments));
}

}  // namespace likeness::train
