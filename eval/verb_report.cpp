#include <CLI/CLI.hpp>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "eval/report/report.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

CommandResult run(const std::vector<std::string>& files, const CommonOptions& common) {
  if (common.out.empty()) fail_usage({"no output named", "arguments", "--out report.html", "", ""});
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  check_output(common.out, if_exists);
  std::vector<NamedResult> results;
  for (const std::string& file : files) results.push_back({std::filesystem::path(file).filename().string(), Result::load(file)});
  const std::string page = html_report(results);
  write_atomically(common.out, if_exists, page);
  return {0, {{"report", common.out}, {"results", files}, {"bytes", page.size()}}, common.out + ": open it in a browser\n"};
}

}  // namespace

Verb make_report_verb() {
  return {"report", "Make one self-contained HTML page from results", "likeness eval report lfw.json lfw-gender.json --out report.html",
          [](CLI::App& app) {
            auto files = std::make_shared<std::vector<std::string>>();
            app.add_option("results", *files, "JSON results of verify and bias")->required()->type_name("RESULT");
            return [files](const CommonOptions& common) { return run(*files, common); };
          },
          true};
}

}  // namespace likeness::eval
