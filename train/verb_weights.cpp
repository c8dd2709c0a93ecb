#include "train/verb_weights.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "core/error.h"
#include "engine/model_source.h"
#include "model/graph/weights_tools.h"
#include "train/weights_report.h"

namespace likeness::train {
namespace {

using Action = std::function<CommandResult(const CommonOptions&)>;

IfExists if_exists(const CommonOptions& common) { return common.force ? IfExists::kReplace : IfExists::kRefuse; }

// Such a file holds network and contract beside the weights.
bool is_model_file(const std::string& path) { return std::filesystem::path(path).extension() == ".safetensors"; }

struct Said {
  std::string preprocess, geometry;  // "" unless said
};

// What the file does not say about how its network is fed: as said, else arcface_torch's convention for its state
// dicts. `note` tells the user of an assumption.
void complete_contract(model::WeightsFile* file, const Said& said, std::string* note) {
  if (!file->graph) return;
  if (file->contract) {
    if (!said.preprocess.empty() || !said.geometry.empty())
      fail_usage({"the file says itself how its network is fed", file->path.string(), "no --preprocess, no --geometry",
                  "one of them", ""});
    return;
  }
  const bool arcface_torch = file->kind != model::kOnnxKind;
  if (!arcface_torch && (said.preprocess.empty() || said.geometry.empty()))
    fail_usage({"this ONNX file does not say what it wants to be fed", file->path.string(),
                "--preprocess and --geometry", "one or none of them",
                "insightface's own: --preprocess \"mean=127.5,127.5,127.5;std=127.5,127.5,127.5;order=rgb\" "
                "--geometry arcface"});
  file->contract = model::arcface_torch_contract(*file->graph);
  if (!said.preprocess.empty()) file->contract->preprocess = Preprocess::parse(said.preprocess);
  if (!said.geometry.empty())
    file->contract->geometry =
        engine::parse_geometry(said.geometry, file->graph->input_height, file->graph->input_width, "--geometry");
  if (arcface_torch && (said.preprocess.empty() || said.geometry.empty()))
    *note = fmt::format("taken to be fed as arcface_torch feeds its networks: {}, {}\n",
                        file->contract->preprocess.to_string(), file->contract->geometry.describe());
}

CommandResult convert(const std::string& from, const std::string& to, const Said& said, const CommonOptions& common) {
  check_output(to, if_exists(common));
  model::WeightsFile file = model::read_weights_file(from);
  model::make_trainable(&file);
  std::string note;
  const bool ours = is_model_file(to);
  if (ours) complete_contract(&file, said, &note);
  model::write_weights_file(to, file, if_exists(common));
  CommandResult r;
  r.json = {{"from", file.path.string()},
            {"to", to},
            {"network", file.graph ? nlohmann::json(file.graph->architecture) : nlohmann::json()},
            {"tensors", file.weights.tensors.size()},
            {"contract", ours && file.contract ? nlohmann::json::parse(file.contract->to_json()) : nlohmann::json()}};
  r.text =
      fmt::format("{} ({}, {}) to {}: {} tensors\n{}", file.path.string(), file.kind,
                  file.graph ? file.graph->architecture : "unknown network", to, file.weights.tensors.size(), note);
  if (ours && !file.graph)
    r.text += "no network of ours has these tensors: a bare state dict was written, which is no model here\n";
  return r;
}

void check_contracts(const std::vector<model::WeightsFile>& files) {
  for (const model::WeightsFile& f : files) {
    if (!f.contract || !files[0].contract) continue;
    ModelContract other = *f.contract;
    other.weights_hash = files[0].contract->weights_hash;  // weights do differ
    const std::string difference = files[0].contract->difference(other);
    if (!difference.empty())
      fail_data({"these networks are fed in different ways", f.path.string(), "as " + files[0].path.string(),
                 difference, ""});
  }
}

CommandResult average(const std::vector<std::string>& models, std::vector<double> shares, const std::string& to,
                      const CommonOptions& common) {
  if (shares.empty()) shares.assign(models.size(), 1);
  if (shares.size() != models.size() || *std::min_element(shares.begin(), shares.end()) <= 0)
    fail_usage({"--shares do not fit the models", "arguments", fmt::format("{} positive numbers", models.size()),
                fmt::format("{}", fmt::join(shares, ",")), ""});
  check_output(to, if_exists(common));
  std::vector<model::WeightsFile> files;
  std::vector<const model::Weights*> weights;
  for (const std::string& m : models) files.push_back(model::read_weights_file(m));
  check_contracts(files);
  for (const model::WeightsFile& f : files) weights.push_back(&f.weights);
  model::Weights mean = model::average(weights, shares, models);
  files[0].weights = std::move(mean);
  std::string note;
  if (is_model_file(to) && files[0].kind != model::kOnnxKind) complete_contract(&files[0], {}, &note);
  model::write_weights_file(to, files[0], if_exists(common));
  CommandResult r;
  r.json = {{"models", models}, {"shares", shares}, {"to", to}, {"tensors", files[0].weights.tensors.size()}};
  r.text = fmt::format("mean of {} models to {}\n{}", models.size(), to, note);
  return r;
}

// A verb of the verb. Options that every verb has are read by the parent.
CLI::App* add(CLI::App& app, const char* name, const char* summary, const char* example) {
  CLI::App* sub = app.add_subcommand(name, summary);
  sub->fallthrough();
  sub->footer(std::string("--json, --out, --force and the other common options work here, too.\nExample:\n  ") +
              example);
  return sub;
}

void add_convert(CLI::App& app, const std::shared_ptr<Action>& chosen) {
  CLI::App* sub = add(app, "convert", "write weights in another format, by the extension of TO",
                      "likeness train weights convert backbone.pt r50.safetensors");
  auto paths = std::make_shared<std::array<std::string, 2>>();
  auto said = std::make_shared<Said>();
  sub->add_option("from", (*paths)[0], "run folder, checkpoint, .safetensors, .pt, .pth or .onnx")->required();
  sub->add_option("to", (*paths)[1], ".safetensors, .pt or .pth")->required();
  sub->add_option("--preprocess", said->preprocess,
                  "input values, where the file does not say: \"mean=R,G,B;std=R,G,B;order=rgb\"")
      ->type_name("TEXT");
  sub->add_option("--geometry", said->geometry, "where the face stands in the input: arcface or five points")
      ->type_name("TEXT");
  sub->callback(
      [=] { *chosen = [=](const CommonOptions& common) { return convert((*paths)[0], (*paths)[1], *said, common); }; });
}

void add_inspect(CLI::App& app, const std::shared_ptr<Action>& chosen) {
  CLI::App* sub = add(app, "inspect", "list a file's tensors: shapes, ranges, norms, values that are not finite",
                      "likeness train weights inspect runs/mbf");
  auto path = std::make_shared<std::string>();
  sub->add_option("model", *path, "run folder, checkpoint, .safetensors, .pt, .pth or .onnx")->required();
  sub->callback(
      [=] { *chosen = [=](const CommonOptions&) { return inspect_weights(model::read_weights_file(*path)); }; });
}

void add_diff(CLI::App& app, const std::shared_ptr<Action>& chosen) {
  CLI::App* sub = add(app, "diff", "compare two files tensor by tensor; exit code 1 when they differ",
                      "likeness train weights diff runs/a runs/b --tolerance 1e-6");
  auto paths = std::make_shared<std::array<std::string, 2>>();
  auto tolerance = std::make_shared<double>(0);
  sub->add_option("a", (*paths)[0], "run folder, checkpoint, .safetensors, .pt, .pth or .onnx")->required();
  sub->add_option("b", (*paths)[1], "the same")->required();
  sub->add_option("--tolerance", *tolerance, "largest difference of two numbers that still counts as equal")
      ->check(CLI::NonNegativeNumber);
  sub->callback([=] {
    *chosen = [=](const CommonOptions&) {
      return diff_weights(model::read_weights_file((*paths)[0]), model::read_weights_file((*paths)[1]), *tolerance);
    };
  });
}

void add_average(CLI::App& app, const std::shared_ptr<Action>& chosen) {
  CLI::App* sub = add(app, "average", "the mean of several models of one network, batch norm's statistics included",
                      "likeness train weights average runs/mbf/checkpoints/step-3000 runs/mbf --to mean.safetensors");
  auto models = std::make_shared<std::vector<std::string>>();
  auto shares = std::make_shared<std::vector<double>>();
  auto to = std::make_shared<std::string>();
  sub->add_option("models", *models, "run folders, checkpoints, .safetensors, .pt, .pth or .onnx")
      ->required()
      ->expected(2, 1000);
  sub->add_option("--shares", *shares, "weights of the mean, one per model; all equal without them")->delimiter(',');
  sub->add_option("--to", *to, ".safetensors, .pt or .pth")->required()->type_name("FILE");
  sub->callback([=] { *chosen = [=](const CommonOptions& common) { return average(*models, *shares, *to, common); }; });
}

}  // namespace

Verb weights_verb() {
  return {"weights", "convert, inspect, diff and average weights", "likeness train weights convert runs/mbf mbf.pt",
          [](CLI::App& app) -> Action {
            auto chosen = std::make_shared<Action>();
            app.require_subcommand(0, 1);
            add_convert(app, chosen);
            add_inspect(app, chosen);
            add_diff(app, chosen);
            add_average(app, chosen);
            return [chosen](const CommonOptions& common) {
              if (!*chosen)
                fail_usage({"no verb given", "likeness train weights", "convert, inspect, diff or average", "none",
                            "likeness train weights --help"});
              return (*chosen)(common);
            };
          }};
}

}  // namespace likeness::train
