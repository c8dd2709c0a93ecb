#include "train/weights_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/progress.h"
#include "model/graph/backbones.h"
#include "model/graph/weights_tools.h"

namespace likeness::train {
namespace {

using model::shape_text;
using nlohmann::json;

json number(double value) { return std::isfinite(value) ? json(value) : json(); }  // JSON has no infinity

std::string network_of(const model::WeightsFile& file) {
  if (!file.graph) return "unknown";
  const model::Graph& g = *file.graph;
  return fmt::format("{}, {}x{} pixels to {} numbers", g.architecture, g.input_width, g.input_height, g.dimension);
}

json describe(const model::WeightsFile& file) {
  json j = {{"file", file.path.string()}, {"kind", file.kind}, {"network", json()}, {"contract", json()}};
  if (file.graph)
    j["network"] = {{"architecture", file.graph->architecture},
                    {"input", {file.graph->input_height, file.graph->input_width}},
                    {"embedding", file.graph->dimension},
                    {"parameters", file.graph->parameter_count()}};
  if (file.contract) j["contract"] = json::parse(file.contract->to_json());
  return j;
}

}  // namespace

CommandResult inspect_weights(const model::WeightsFile& file) {
  CommandResult r;
  r.json = describe(file);
  r.json["tensors"] = json::array();
  std::int64_t elements = 0, non_finite = 0;
  std::size_t width = 4, shape_width = 5;
  for (const auto& [name, t] : file.weights.tensors) {
    width = std::max(width, name.size());
    shape_width = std::max(shape_width, shape_text(t.shape).size());
  }
  std::string table = fmt::format("{:<{}}  {:<8}{:<{}}  {:>11}{:>11}{:>11}{:>11}  not finite\n", "name", width, "dtype",
                                  "shape", shape_width, "lowest", "highest", "mean", "norm");
  for (const std::string& name : file.order()) {
    const model::WeightTensor& t = file.weights.at(name);
    const model::TensorFacts f = model::facts_of(t);
    elements += f.elements, non_finite += f.non_finite;
    r.json["tensors"].push_back({{"name", name},
                                 {"dtype", t.dtype},
                                 {"shape", t.shape},
                                 {"low", f.low},
                                 {"high", f.high},
                                 {"mean", f.mean},
                                 {"norm", f.norm},
                                 {"non_finite", f.non_finite}});
    table += fmt::format("{:<{}}  {:<8}{:<{}}  {:>11.4g}{:>11.4g}{:>11.4g}{:>11.4g}  {}\n", name, width, t.dtype,
                         shape_text(t.shape), shape_width, f.low, f.high, f.mean, f.norm, f.non_finite);
  }
  r.json["elements"] = elements;
  r.json["non_finite"] = non_finite;
  r.text = fmt::format("file:      {} ({})\nnetwork:   {}\n", file.path.string(), file.kind, network_of(file));
  if (file.contract)
    r.text += fmt::format("contract:  {}, {}, weights {}\n", file.contract->geometry.describe(),
                          file.contract->preprocess.to_string(), file.contract->weights_hash);
  r.text +=
      fmt::format("numbers:   {} in {} tensors, {} not finite\n\n{}",
                  format_count(static_cast<std::uint64_t>(elements)), file.weights.tensors.size(), non_finite, table);
  return r;
}

CommandResult diff_weights(const model::WeightsFile& a, const model::WeightsFile& b, double tolerance) {
  json only_a = json::array(), only_b = json::array(), shapes = json::array(), values = json::array();
  std::string text;
  std::int64_t same = 0;
  double largest = 0;
  for (const std::string& name : a.order()) {
    const model::WeightTensor& t = a.weights.at(name);
    const auto it = b.weights.tensors.find(name);
    if (it == b.weights.tensors.end()) {
      only_a.push_back(name);
      text += fmt::format("{}: only in {}\n", name, a.path.string());
      continue;
    }
    if (it->second.shape != t.shape) {
      shapes.push_back({{"name", name}, {"a", t.shape}, {"b", it->second.shape}});
      text += fmt::format("{}: {} and {}\n", name, shape_text(t.shape), shape_text(it->second.shape));
      continue;
    }
    const model::TensorDifference d = model::difference(t, it->second);
    largest = std::max(largest, d.largest);
    if (d.largest <= tolerance) {
      ++same;
      continue;
    }
    values.push_back(
        {{"name", name}, {"largest", number(d.largest)}, {"relative", number(d.relative)}, {"cosine", d.cosine}});
    text += fmt::format("{}: differs by up to {:.3g}, relative {:.3g}, 1 - cosine {:.3g}\n", name, d.largest,
                        d.relative, 1 - d.cosine);
  }
  for (const std::string& name : b.order()) {
    if (a.weights.tensors.count(name) > 0) continue;
    only_b.push_back(name);
    text += fmt::format("{}: only in {}\n", name, b.path.string());
  }
  const bool equal = only_a.empty() && only_b.empty() && shapes.empty() && values.empty();
  CommandResult r{.exit_code = equal ? 0 : 1, .json = {}, .text = {}};
  r.json = {{"a", describe(a)}, {"b", describe(b)},          {"equal", equal},      {"tolerance", tolerance},
            {"same", same},     {"only_in_a", only_a},       {"only_in_b", only_b}, {"shapes", shapes},
            {"values", values}, {"largest", number(largest)}};
  r.text = text + fmt::format("{} of {} tensors {}, largest difference {:.3g}\n", same, a.weights.tensors.size(),
                              tolerance > 0 ? fmt::format("agree within {:.3g}", tolerance) : "are equal", largest);
  return r;
}

}  // namespace likeness::train
