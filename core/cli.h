// The frame every program shares: verbs, common options, --json and --out, exit codes, one place that catches.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace likeness {

// Options that every verb has.
struct CommonOptions {
  bool json = false;         // --json: exactly one JSON object on stdout, everything else on stderr
  std::string out;           // --out FILE: the JSON (or the verb's own output) goes there
  bool force = false;        // --force: an existing output is replaced
  bool quiet = false;        // --quiet: no progress, warnings only
  bool verbose = false;      // --verbose: debug lines
  int threads = 0;           // --threads N: 0 = all cores this process may use
  std::string device = "auto";  // --device cpu|cuda[:i]|auto
};

// What a verb gives back: the exit code, the JSON for --json, the text for a person.
struct CommandResult {
  int exit_code = 0;
  nlohmann::json json;
  std::string text;
};

// A verb: `setup` adds options to the parser (bound to variables that it captures) and returns what does the work. An option
// of its own that has the name of a common one takes that one's place.
struct Verb {
  std::string name, summary, example;
  std::function<std::function<CommandResult(const CommonOptions&)>(CLI::App& app)> setup;
  // The verb itself writes --out (a container, a report); otherwise the frame writes its JSON there.
  bool owns_out = false;
};

struct Program {
  std::string stage;    // "data"; the program is likeness-data
  std::string summary;
  std::vector<Verb> verbs;
  std::string default_verb = {};  // "run" lets `likeness train CONFIG` stand for `likeness train run CONFIG`; "" for none
  std::vector<std::string> libraries = {};  // "OpenCV 4.6.0": for --version, besides core's own
};

// Parses, runs, prints and returns the exit code (docs/command-line.md): 0 done, 1 check failed, 2 wrong use, 3 inconclusive,
// 4 bad data, 5 environment, 70 our bug, 130/143 interrupted. `--help` shows the verb's example, `--version` the versions, and
// `--verbs` lists "name<TAB>summary" lines for the dispatcher. With --json whatever a library prints on stdout goes to stderr.
int run_program(const Program& program, int argc, char** argv);

}  // namespace likeness
