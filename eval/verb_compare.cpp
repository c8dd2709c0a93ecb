#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/version.h"
#include "eval/compare.h"
#include "eval/score_argument.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

struct Arguments {
  std::string a, b;
  ScoreArgument scores;
  std::vector<std::string> at;
  CompareOptions options;
};

CommandResult run(const Arguments& arguments, const CommonOptions& common) {
  CompareOptions options = arguments.options;
  options.bootstrap.threads = common.threads;
  if (!arguments.at.empty()) options.at.clear();
  for (const std::string& text : arguments.at) options.at.push_back(parse_target(text));
  ScoreArchive a = open_scores(arguments.a, arguments.scores, common),
               b = open_scores(arguments.b, arguments.scores, common);
  const Comparison c = compare(std::move(a), std::move(b), arguments.a, arguments.b, options);
  nlohmann::json j = c.to_json();
  j["software"] = "likeness " + version();
  return {0, j, c.to_text()};
}

}  // namespace

Verb make_compare_verb() {
  return {
      "compare", "Say whether model B is better than A on the same trials, and what difference could have been shown",
      "likeness eval compare old.emb.h5 new.emb.h5 --pairs lfw/pairs.txt --at fmr=1e-2 --by gender --out compare.json",
      [](CLI::App& app) {
        auto a = std::make_shared<Arguments>();
        app.add_option("a", a->a, "Model A: *.scores.h5, *.emb.h5, or a model with --set")->required()->type_name("A");
        app.add_option("b", a->b, "Model B")->required()->type_name("B");
        a->scores.add_options(app);
        app.add_option("--at", a->at, "Operating points: fmr=1e-3, threshold=0.35 (may be repeated)")
            ->type_name("POINT");
        app.add_option("--by", a->options.by, "Also by group: attributes, several make intersections: gender,race")
            ->delimiter(',')
            ->type_name("NAMES");
        app.add_option("--bootstrap", a->options.bootstrap.replicates, "Replicates of the paired subject bootstrap")
            ->check(CLI::Range(std::int64_t{100}, std::int64_t{1'000'000}))
            ->capture_default_str()
            ->type_name("N");
        app.add_option("--seed", a->options.bootstrap.seed, "Of the bootstrap")->capture_default_str()->type_name("N");
        return [a](const CommonOptions& common) { return run(*a, common); };
      }};
}

}  // namespace likeness::eval
