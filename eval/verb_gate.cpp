#include <CLI/CLI.hpp>
#include <ctime>

#include "core/error.h"
#include "core/file.h"
#include "core/version.h"
#include "eval/gate/gate.h"
#include "eval/score_argument.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

struct Arguments {
  std::string spec, candidate, baseline, junit, markdown;
  ScoreArgument scores;
};

GateInput open_input(const std::string& path, const Arguments& a, const CommonOptions& common) {
  GateInput input;
  input.name = path;
  if (path.ends_with(".json"))
    input.result = Result::load(path);
  else
    input.scores = open_scores(path, a.scores, common);
  return input;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

CommandResult run(const Arguments& a, const CommonOptions& common) {
  const GateSpec spec = read_gate_spec(a.spec);
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  for (const std::string& file : {a.junit, a.markdown})
    if (!file.empty()) check_output(file, if_exists);
  GateInput candidate = open_input(a.candidate, a, common);
  std::optional<GateInput> baseline;
  if (!a.baseline.empty()) baseline = open_input(a.baseline, a, common);
  const GateReport report = judge(spec, std::move(candidate), std::move(baseline), today(), common.threads);
  if (!a.junit.empty()) write_atomically(a.junit, if_exists, report.to_junit());
  if (!a.markdown.empty()) write_atomically(a.markdown, if_exists, report.to_markdown());
  nlohmann::json j = report.to_json();
  j["software"] = "likeness " + version();
  return {report.exit_code, j, report.to_text()};
}

}  // namespace

Verb make_gate_verb() {
  return {
      "gate", "Judge a candidate against a specification: pass (exit 0), fail (1) or inconclusive (3)",
      "likeness eval gate gate.yaml --candidate new.scores.h5 --baseline shipped.scores.h5 --junit gate.xml --markdown "
      "gate.md --out gate.json",
      [](CLI::App& app) {
        auto a = std::make_shared<Arguments>();
        app.add_option("spec", a->spec, "The gates, docs/evaluation.md")->required()->type_name("SPEC");
        app.add_option("--candidate", a->candidate,
                       "What is judged: *.scores.h5, *.emb.h5, a model with --set, or a result *.json")
            ->required()
            ->type_name("X");
        app.add_option("--baseline", a->baseline, "What worse_by_at_most compares with, on the same trials")
            ->type_name("Y");
        a->scores.add_options(app);
        app.add_option("--junit", a->junit, "Also write a JUnit report, one test case per gate")->type_name("FILE");
        app.add_option("--markdown", a->markdown, "Also write a summary for the page of a CI job")->type_name("FILE");
        return [a](const CommonOptions& common) { return run(*a, common); };
      }};
}

}  // namespace likeness::eval
