#include <CLI/CLI.hpp>

#include "core/cli.h"
#include "core/log.h"
#include "export/onnx_export.h"

namespace likeness {
namespace {

exporting::ParityOptions parity_options(const CommonOptions& common) {
  exporting::ParityOptions options;
  options.threads = common.threads;
  return options;
}

Verb onnx_verb() {
  return {
      "onnx", "Write a model as one ONNX file, once independent engines agree with it",
      "likeness export onnx runs/mbf mbf.onnx",
      [](CLI::App& app) -> std::function<CommandResult(const CommonOptions&)> {
        auto paths = std::make_shared<std::array<std::string, 2>>();
        app.add_option("model", (*paths)[0], "run folder, checkpoint, .safetensors, or an .onnx of ours")->required();
        app.add_option("file", (*paths)[1], "the ONNX file to write")->required();
        return [paths](const CommonOptions& common) -> CommandResult {
          log_info("exporting " + (*paths)[0] + ", then running it through every engine");
          const exporting::OnnxExport done = exporting::export_onnx(
              (*paths)[0], (*paths)[1], common.force ? IfExists::kReplace : IfExists::kRefuse, parity_options(common));
          return {0, done.to_json(), done.to_text()};
        };
      }};
}

Verb check_verb() {
  return {
      "check", "Compare an ONNX file with the model it came from: contract, weights, and the answers of every engine",
      "likeness export check mbf.onnx --against runs/mbf",
      [](CLI::App& app) -> std::function<CommandResult(const CommonOptions&)> {
        auto paths = std::make_shared<std::array<std::string, 2>>();
        app.add_option("file", (*paths)[0], "the ONNX file")->required();
        app.add_option("--against", (*paths)[1], "run folder, checkpoint, .safetensors, or another .onnx of ours")
            ->required();
        return [paths](const CommonOptions& common) -> CommandResult {
          log_info("comparing " + (*paths)[0] + " with " + (*paths)[1]);
          const exporting::OnnxCheck check = exporting::check_onnx((*paths)[0], (*paths)[1], parity_options(common));
          return {check.passed() ? 0 : 1, check.to_json(), check.to_text()};
        };
      }};
}

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  return likeness::run_program(
      {"export", "Write models as ONNX, with proof", {likeness::onnx_verb(), likeness::check_verb()}, ""}, argc, argv);
}
