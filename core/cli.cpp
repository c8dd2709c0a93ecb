#include "core/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/cli_output.h"
#include "core/config.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/signals.h"
#include "core/version.h"

namespace likeness {
namespace {

using Arguments = std::vector<std::string>;

std::string name_of(const Program& program) { return "likeness " + program.stage; }

std::string list_verbs(const Program& program) {
  std::size_t width = 0;
  for (const Verb& verb : program.verbs) width = std::max(width, verb.name.size());
  std::string text = fmt::format("{}: {}\n\nUsage: {} VERB [ARGUMENTS] [--options]\n\nVerbs:\n", name_of(program),
                                 program.summary, name_of(program));
  for (const Verb& verb : program.verbs) text += fmt::format("  {:<{}}  {}\n", verb.name, width, verb.summary);
  if (!program.default_verb.empty()) text += fmt::format("\nWithout a verb, {} is meant.\n", program.default_verb);
  return text + fmt::format("\n{} VERB --help shows a verb's options and an example.\n", name_of(program));
}

const Verb* find_verb(const Program& program, const std::string& name) {
  for (const Verb& verb : program.verbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

// The verb that `arguments` start with, taken off them; else the default verb, unless the first word looks like a verb
// with a typo.
const Verb& choose_verb(const Program& program, Arguments& arguments) {
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (const Verb* verb = find_verb(program, first)) {
    arguments.erase(arguments.begin());
    return *verb;
  }
  std::vector<std::string> names;
  for (const Verb& verb : program.verbs) names.push_back(verb.name);
  const std::string guess = first.empty() ? "" : nearest(first, names);
  std::error_code ignored;
  if (const Verb* verb = find_verb(program, program.default_verb);
      verb != nullptr && !first.empty() && (guess.empty() || std::filesystem::exists(first, ignored))) {
    return *verb;
  }
  fail_usage({.what = first.empty() ? "no verb given" : "unknown verb \"" + first + "\"",
              .where = name_of(program),
              .expected = fmt::format("one of {}", fmt::join(names, ", ")),
              .hint = guess.empty() ? name_of(program) + " --help" : "did you mean " + guess + "?"});
}

void add_common_options(CLI::App& app, CommonOptions& common) {
  const auto missing = [&](const char* name) { return app.get_option_no_throw(name) == nullptr; };
  const auto flag = [&](const char* name, bool& value, const char* help) {
    if (missing(name)) app.add_flag(name, value, help)->group("Common options");
  };
  const auto option = [&](const char* name, auto& value, const char* help) -> CLI::Option* {
    return missing(name) ? app.add_option(name, value, help)->group("Common options") : nullptr;
  };
  flag("--json", common.json, "Print exactly one JSON object on stdout, everything else on stderr");
  option("--out", common.out, "Write the result to this file");
  flag("--force", common.force, "Replace an output that exists already");
  flag("--quiet", common.quiet, "No progress, warnings only");
  flag("--verbose", common.verbose, "Debug lines, too");
  if (auto* threads = option("--threads", common.threads, "Threads to use; 0: all cores this process may run on")) {
    threads->check(CLI::Range(0, 4096));
  }
  if (auto* device = option("--device", common.device, "cpu, cuda, cuda:INDEX or auto")) {
    device->check([](const std::string& text) -> std::string {
      const bool indexed = text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
                           text.find_first_not_of("0123456789", 5) == std::string::npos;
      return indexed || text == "cpu" || text == "cuda" || text == "auto"
                 ? ""
                 : "expected cpu, cuda, cuda:INDEX or auto, got " + text;
    });
  }
}

// CLI11's own messages name no option that is near.
[[noreturn]] void refuse_extras(const CLI::App& app, const std::string& where) {
  const std::vector<std::string> extras = app.remaining();
  const std::string word = extras.empty() ? "" : extras[0].substr(0, extras[0].find('='));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string guess = nearest(word, names);
  fail_usage({.what = (word.starts_with('-') ? "unknown option " : "unexpected argument ") + word,
              .where = where,
              .hint = guess.empty() ? where + " --help" : "did you mean " + guess + "?"});
}

// False when --help was asked for and printed.
bool parse_verb(CLI::App& app, Arguments arguments, const std::string& where, Output& output) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
    return true;
  } catch (const CLI::CallForHelp&) {
    output.print(app.help());
    return false;
  } catch (const CLI::ExtrasError&) {
    refuse_extras(app, where);
  } catch (const CLI::ParseError& e) {
    fail_usage({.what = e.what(), .where = where, .hint = where + " --help"});
  }
}

int run_verb(const Program& program, const Verb& verb, Arguments arguments, Output& output) {
  const std::string where = name_of(program) + " " + verb.name;
  CLI::App app(verb.summary, where);
  if (!verb.example.empty()) app.footer("Example:\n  " + verb.example);
  CommonOptions common;
  const auto action = verb.setup(app);
  add_common_options(app, common);
  if (!parse_verb(app, std::move(arguments), where, output)) return 0;

  set_log_level(common.quiet ? LogLevel::kWarn : common.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  set_progress_quiet(common.quiet);
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  const bool save = !common.out.empty() && !verb.owns_out;
  if (save) check_output(common.out, if_exists);
  const CommandResult result = action(common);
  if (save) write_atomically(common.out, if_exists, json_text(result.json));
  output.print(common.json ? json_text(result.json) : result.text);
  return result.exit_code;
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  install_signal_handlers();
  Arguments arguments(argv + std::min(argc, 1), argv + argc);
  // Known before anything is parsed, so that a parse error is reported as JSON, too.
  Output output(std::find(arguments.begin(), arguments.end(), "--json") != arguments.end());
  return output.guard([&] {
    const std::string first = arguments.empty() ? "" : arguments[0];
    if (first == "--help" || first == "-h") {
      output.print(list_verbs(program));
      return 0;
    }
    if (first == "--version") {
      output.print(version_text(program.libraries));
      return 0;
    }
    if (first == "--verbs") {
      for (const Verb& verb : program.verbs) output.print(verb.name + "\t" + verb.summary + "\n");
      return 0;
    }
    const Verb& verb = choose_verb(program, arguments);
    return run_verb(program, verb, arguments, output);
  });
}

}  // namespace likeness
