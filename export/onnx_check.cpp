#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "export/onnx_export.h"
#include "model/graph/onnx.h"

namespace likeness::exporting {
namespace {

constexpr std::size_t kNamed = 3;  // tensors named in a report; a network of another training differs in all of them

// The tensors that differ, the first few by name. What only training reads (counts of its steps) does not reach an ONNX
// file.
void compare_tensors(const model::OnnxModel& file, const model::TrainedModel& model,
                     std::vector<std::string>& differences) {
  std::size_t differing = 0, compared = 0;
  for (const model::TensorSpec& spec : model.graph.tensors) {
    if (spec.training_only) continue;
    ++compared;
    const auto mine = model.weights.tensors.find(spec.name);
    const auto theirs = file.weights.tensors.find(spec.name);
    if (mine == model.weights.tensors.end()) continue;
    std::string what;
    if (theirs == file.weights.tensors.end()) {
      what = "is not in the file";
    } else if (theirs->second.shape != mine->second.shape) {
      what = "has another shape";
    } else {
      const std::vector<double> a = mine->second.as_double(), b = theirs->second.as_double();
      double largest = 0;
      std::size_t values = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(static_cast<float>(a[i])) - b[i]);
        values += !(difference == 0);
        largest = std::max(largest, std::isnan(difference) ? HUGE_VAL : difference);
      }
      if (values > 0) what = fmt::format("differs in {} of {} values, by {:.3g} at most", values, a.size(), largest);
    }
    if (what.empty()) continue;
    if (++differing <= kNamed) differences.push_back(spec.name + " " + what);
  }
  if (differing > kNamed) differences.push_back(fmt::format("and {} more of {} tensors", differing - kNamed, compared));
}

}  // namespace

OnnxCheck check_onnx(const std::filesystem::path& file, const std::filesystem::path& against,
                     const ParityOptions& options) {
  OnnxCheck check;
  check.file = file;
  check.against = against;
  const model::TrainedModel model = model::load_model(against);
  ModelContract claimed;
  if (!model::onnx_contract(model::onnx_info(file).metadata, &claimed)) {
    check.differences.push_back("the file carries no contract: it was not written by likeness export");
    return check;
  }
  ModelContract wanted = model.contract;
  wanted.weights_hash = model::weights_hash(model.graph, model.weights);
  const std::string contract = wanted.difference(claimed);
  if (!contract.empty()) check.differences.push_back("contract: " + contract);

  const model::OnnxModel held = model::read_onnx(file);
  const std::string held_hash = model::weights_hash(held.graph, held.weights);
  if (held_hash != claimed.weights_hash)
    check.differences.push_back(
        fmt::format("the file's weights ({}) are not those its metadata name ({}): it was changed after export",
                    held_hash, claimed.weights_hash));
  if (held_hash != wanted.weights_hash) {
    check.differences.push_back(
        fmt::format("weights: {} in the file, {} in the model", held_hash, wanted.weights_hash));
    compare_tensors(held, model, check.differences);
  }
  if (check.differences.empty()) check.parity = check_parity(model, file, options);
  return check;
}

nlohmann::json OnnxCheck::to_json() const {
  nlohmann::json json{{"schema", "likeness.check/1"},
                      {"file", file.string()},
                      {"against", against.string()},
                      {"passed", passed()},
                      {"differences", differences}};
  json["parity"] = differences.empty() ? parity.to_json() : nlohmann::json(nullptr);
  return json;
}

std::string OnnxCheck::to_text() const {
  if (differences.empty())
    return fmt::format("{} holds the weights and the contract of {}\n{}{}\n", file.string(), against.string(),
                       parity.to_text(), parity.passed() ? "passed" : "FAILED: " + parity.failure());
  std::string text = fmt::format("{} is not {}\n", file.string(), against.string());
  for (const std::string& difference : differences) text += "  " + difference + "\n";
  return text + "FAILED: parity was not run\n";
}

}  // namespace likeness::exporting
