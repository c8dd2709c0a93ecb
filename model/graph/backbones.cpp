#include "model/graph/backbones.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "model/graph/backbone_table.h"

namespace likeness::model {
namespace {

constexpr BackboneEntry iresnet(const char* name) {
  return {.name = name, .build = build_iresnet, .start = Start::kIResNet, .has_dropout = true};
}
constexpr BackboneEntry vit(const char* name) {  // any size in which one patch has its place
  return {.name = name, .build = build_vit, .start = Start::kVit, .smallest_input = 9, .input_step = 1};
}

constexpr BackboneEntry kTable[] = {
    iresnet("r18"),
    iresnet("r34"),
    iresnet("r50"),
    iresnet("r100"),
    iresnet("r200"),
    {.name = "mbf", .build = build_mobilefacenet},
    {.name = "mbf_large", .build = build_mobilefacenet},
    vit("vit_t"),
    vit("vit_t_dp005_mask0"),
    vit("vit_s"),
    vit("vit_s_dp005_mask_0"),
    vit("vit_b"),
    vit("vit_b_dp005_mask_005"),
    vit("vit_l"),
    vit("vit_l_dp005_mask_005"),
};

constexpr int kLargestInput = 1024, kLargestEmbedding = 65536;

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// The shortest text that reads back as the same double, and as a double: "0.0".
std::string number(double value) {
  char text[32];
  const std::string digits(text, std::to_chars(text, text + sizeof text, value).ptr);
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

void check(const BackboneOptions& o, const BackboneEntry& entry) {
  const std::string where = "backbone " + o.name;
  if (o.input < entry.smallest_input || o.input > kLargestInput || o.input % entry.input_step != 0) {
    const std::string step =
        entry.input_step == 1 ? "" : "a multiple of " + std::to_string(entry.input_step) + " from ";
    fail_usage({"input size does not fit the backbone", where,
                step + std::to_string(entry.smallest_input) + " to 1024 pixels", std::to_string(o.input),
                "112 is the field's size"});
  }
  if (o.embedding < 1 || o.embedding > kLargestEmbedding)
    fail_usage({"embedding size out of range", where, "1 to 65536", std::to_string(o.embedding), "512 is usual"});
  if (!(o.dropout >= 0 && o.dropout < 1))
    fail_usage({"dropout out of range", where, "a probability in [0, 1)", std::to_string(o.dropout), ""});
  if (o.dropout > 0 && !entry.has_dropout)
    fail_usage({"this backbone has no dropout", where, "dropout 0", number(o.dropout), ""});
}

}  // namespace

std::span<const BackboneEntry> backbone_table() { return kTable; }

const BackboneEntry* find_backbone(const std::string& name) {
  const auto* entry = std::find_if(std::begin(kTable), std::end(kTable), [&](const auto& e) { return name == e.name; });
  return entry == std::end(kTable) ? nullptr : entry;
}

Graph build_backbone(const BackboneOptions& options) {
  const BackboneEntry* entry = find_backbone(options.name);
  if (entry == nullptr)
    fail_usage({"unknown backbone", "backbone " + options.name, "one of " + list(backbone_names()), options.name, ""});
  check(options, *entry);
  Graph graph = entry->build(options);
  graph.options = {{"name", options.name},
                   {"input", std::to_string(options.input)},
                   {"embedding", std::to_string(options.embedding)},
                   {"dropout", number(options.dropout)}};
  return graph;
}

std::vector<std::string> backbone_names() {
  std::vector<std::string> names;
  for (const BackboneEntry& entry : kTable) names.push_back(entry.name);
  return names;
}

BackboneOptions backbone_options(const Graph& graph) {
  if (graph.options.count("name") == 0) {
    fail_usage({"this network cannot be named", graph.architecture, "one of " + list(backbone_names()),
                "a graph that came from a file without a likeness.backbone entry", "keep it as ONNX"});
  }
  return {graph.options.at("name"), std::stoi(graph.options.at("input")), std::stoi(graph.options.at("embedding")),
          std::stod(graph.options.at("dropout"))};
}

}  // namespace likeness::model
