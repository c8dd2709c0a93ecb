#include "core/cli_output.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <span>
#include <system_error>

#include "core/error.h"
#include "core/file.h"
#include "core/terminal.h"

namespace likeness {
namespace {

struct Failure {
  ErrorParts parts;
  std::string text;
  int exit_code;
};

Failure failure(const Error& e) { return {e.parts(), e.what(), e.exit_code()}; }
Failure environment(std::string what, std::string where, std::string got, std::string hint) {
  return failure(Error(ErrorKind::kEnvironment, {.what = what, .where = where, .got = got, .hint = hint}));
}

// LibTorch's exceptions carry a backtrace behind the first line.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool is_out_of_memory(const std::string& text) {
  return text.find("out of memory") != std::string::npos || text.find("can't allocate memory") != std::string::npos;
}

constexpr const char* kMemoryHint = "a smaller batch or input needs less";
constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

Failure bug(const std::string& got) {
  const ErrorParts parts{
      .what = "our bug, not your mistake", .got = got, .hint = "please report it with the command line and --version"};
  return {parts, Error(ErrorKind::kEnvironment, parts).what(), kBug};
}

// Of the exception that is being handled.
Failure describe_current() {
  try {
    throw;
  } catch (const Error& e) {
    return failure(e);
  } catch (const Interrupted& e) {
    const std::string what = e.signal() == SIGINT ? "interrupted" : "terminated";
    return {{.what = what}, what, 128 + e.signal()};
  } catch (const std::bad_alloc&) {
    return environment("out of memory", "", "", kMemoryHint);
  } catch (const std::filesystem::filesystem_error& e) {
    return environment("file system refuses", e.path1().string(), e.code().message(), "");
  } catch (const std::system_error& e) {
    return environment("the system refuses", "", e.what(), "");
  } catch (const std::exception& e) {
    const std::string got = first_line(e.what());
    if (is_out_of_memory(got)) return environment("out of memory", "", got, kMemoryHint);
    return bug(got);
  } catch (...) {
    return bug("an exception of no known type");
  }
}

nlohmann::json to_json(const Failure& failure) {
  const ErrorParts& p = failure.parts;
  return {{"error", {{"what", p.what}, {"where", p.where}, {"expected", p.expected}, {"got", p.got}, {"hint", p.hint}}},
          {"exit", failure.exit_code}};
}

}  // namespace

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Output::Output(bool json) : json_(json), stdout_(STDOUT_FILENO) {
  if (!json_) return;
  stdout_ = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

Output::~Output() {
  if (!json_) return;
  std::cout.flush();
  std::fflush(stdout);
  ::dup2(stdout_, STDOUT_FILENO);
  ::close(stdout_);
}

void Output::print(const std::string& text) {
  if (text.empty()) return;
  std::cout.flush();
  std::fflush(stdout);
  const std::string whole = text.ends_with('\n') ? text : text + "\n";
  write_all(stdout_, std::as_bytes(std::span(whole)), "stdout");
}

int Output::guard(const std::function<int()>& body) {
  Failure failure;
  try {
    return body();
  } catch (...) {
    failure = describe_current();
  }
  print_line("error: " + failure.text);
  try {
    if (json_) print(json_text(to_json(failure)));
  } catch (const Error&) {
    // stdout is gone, which may be what is being reported; the exit code still tells
  }
  return failure.exit_code;
}

}  // namespace likeness
