#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/error.h"
#include "core/progress.h"
#include "eval/model_argument.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

CommandResult run(const ModelArgument& model, const std::string& archive, const CommonOptions& common) {
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  if (!archive.ends_with(".emb.h5"))
    fail_usage({"an archive of embeddings is named *.emb.h5, so that it is known as one", "arguments", "OUT.emb.h5", archive, ""});
  if (model.is_archive()) fail_usage({"an archive holds embeddings already", "arguments", "a model", model.model, ""});
  check_output(archive, if_exists);
  std::string engine;
  const EmbeddingArchive a = embed_set(model, common, &engine);
  a.save(archive, if_exists);
  const auto failed = std::count(a.failed.begin(), a.failed.end(), std::uint8_t{1});
  CommandResult result;
  result.json = {{"archive", archive},
                 {"pictures", a.size()},
                 {"failed", failed},
                 {"dimension", a.dimension},
                 {"engine", engine},
                 {"contract", nlohmann::json::parse(a.contract.to_json())},
                 {"data_digest", a.data_digest}};
  result.text = archive + ": " + format_count(a.size()) + " pictures, " + std::to_string(a.dimension) + " numbers each, flip " + a.contract.flip +
                ", by " + engine + (failed > 0 ? ", " + format_count(static_cast<std::uint64_t>(failed)) + " failed" : "") + "\n";
  return result;
}

}  // namespace

Verb make_embed_verb() {
  return {"embed", "Embed a set of faces into an archive, from which every metric can be recomputed",
          "likeness eval embed runs/mbf lfw.faces.h5 lfw.emb.h5 --flip sum", [](CLI::App& app) {
            auto model = std::make_shared<ModelArgument>();
            auto archive = std::make_shared<std::string>();
            model->add_options(app, true);
            app.add_option("archive", *archive, "The archive to write, *.emb.h5")->required()->type_name("OUT");
            return [=](const CommonOptions& common) { return run(*model, *archive, common); };
          }};
}

}  // namespace likeness::eval
