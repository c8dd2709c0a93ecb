// `likeness STAGE …` runs likeness-STAGE, which lies beside this program, in git's manner.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/cli_output.h"
#include "core/config.h"
#include "core/error.h"
#include "core/version.h"

namespace {

namespace fs = std::filesystem;

struct Stage {
  const char* name;
  const char* summary;
};
constexpr Stage kStages[] = {{"data", "pictures and labels: import, inspect, convert, synthesise"},
                             {"train", "train a network from a recipe"},
                             {"eval", "measure: verification, bias, gates, reports"},
                             {"export", "ship: ONNX, precision, parity, packages"}};

fs::path program_of(const std::string& stage) {
  return fs::read_symlink("/proc/self/exe").parent_path() / ("likeness-" + stage);
}

// What `program --verbs` prints; "" when it is not there or does not start. The programs know their verbs: no list to
// keep here.
std::string verbs_of(const fs::path& program) {
  int ends[2];
  if (::access(program.c_str(), X_OK) != 0 || ::pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string name = program.string(), option = "--verbs";
  char* const arguments[] = {name.data(), option.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; error == 0 && (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  return error == 0 && ::waitpid(child, &status, 0) == child && status == 0 ? text : "";
}

std::string help() {
  std::string text =
      "likeness: trains, judges and ships face-recognition models\n\nUsage: likeness STAGE VERB [ARGUMENTS] "
      "[--options]\n";
  for (const Stage& stage : kStages) {
    text += std::string("\n") + stage.name + ": " + stage.summary + "\n";
    const std::string verbs = verbs_of(program_of(stage.name));
    if (verbs.empty()) text += "  (not in this build, or does not start)\n";
    for (std::size_t begin = 0, end; begin < verbs.size(); begin = end + 1) {
      end = std::min(verbs.find('\n', begin), verbs.size());
      const std::size_t tab = std::min(verbs.find('\t', begin), end);
      const std::string verb = verbs.substr(begin, tab - begin);
      text += "  " + verb + std::string(verb.size() < 12 ? 12 - verb.size() : 1, ' ') +
              verbs.substr(std::min(tab + 1, end), end - std::min(tab + 1, end)) + "\n";
    }
  }
  return text +
         "\nlikeness STAGE VERB --help shows a verb's options and an example; likeness --version says what this is.\n";
}

[[noreturn]] void run_stage(const std::string& stage, char** argv) {
  const fs::path program = program_of(stage);
  std::string name = program.string();
  argv[1] = name.data();  // what follows are the stage's own arguments
  ::execv(program.c_str(), argv + 1);
  const bool missing = errno == ENOENT;
  likeness::fail_environment(
      {.what = missing ? "this build has no likeness-" + stage : "program cannot be started",
       .where = program.string(),
       .got = missing ? "" : std::strerror(errno),
       .hint = missing && stage == "train" ? "the trainer needs LibTorch: scripts/setup.sh, then build again" : ""});
}

int dispatch(char** argv, likeness::Output& output) {
  const std::string first = argv[1] == nullptr ? "" : argv[1];
  if (first == "--help" || first == "-h" || first == "help") {
    output.print(help());
    return 0;
  }
  if (first == "--version") {
    output.print(likeness::version_text());
    return 0;
  }
  std::vector<std::string> names;
  for (const Stage& stage : kStages) {
    if (first == stage.name) run_stage(first, argv);
    names.push_back(stage.name);
  }
  const std::string guess = likeness::nearest(first, names);
  likeness::fail_usage({.what = first.empty() ? "no stage given" : "unknown stage \"" + first + "\"",
                        .where = "likeness",
                        .expected = "data, train, eval or export",
                        .hint = guess.empty() ? "likeness --help" : "did you mean " + guess + "?"});
}

}  // namespace

int main(int, char** argv) {
  likeness::Output output(false);
  return output.guard([&] { return dispatch(argv, output); });
}
