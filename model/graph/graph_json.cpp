#include "model/graph/graph_json.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace likeness::model {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kOps = {Op::kConv,   Op::kBatchNorm, Op::kPRelu,         Op::kAdd,       Op::kFlatten,
                             Op::kLinear, Op::kDropout,   Op::kTokens,        Op::kPositions, Op::kMaskTokens,
                             Op::kRelu,   Op::kRelu6,     Op::kRestoreTokens, Op::kLayerNorm, Op::kAttention};

// The node's operator, and what only this operator has.
Json describe(const Node& node) {
  Json j = {{"op", op_name(node.op)}, {"name", node.name}, {"inputs", node.inputs}};
  switch (node.op) {
    case Op::kConv:
      j["channels"] = node.shape[0];
      j["kernel"] = {node.kernel_h, node.kernel_w};
      j["stride"] = node.stride;
      j["padding"] = node.padding;
      j["groups"] = node.groups;
      j["bias"] = node.bias;
      break;
    case Op::kLinear:
      j["features"] = node.shape.back();
      j["bias"] = node.bias;
      break;
    case Op::kBatchNorm:
    case Op::kLayerNorm:
      j["epsilon"] = node.epsilon;
      break;
    case Op::kDropout:
      j["whole"] = node.whole;
      [[fallthrough]];
    case Op::kMaskTokens:
      j["dropout"] = node.dropout;
      break;
    case Op::kPositions:
    case Op::kRestoreTokens:
      j["parameter"] = node.prefix;
      break;
    case Op::kAttention:
      j["heads"] = node.heads;
      break;
    case Op::kInput:
    case Op::kPRelu:
    case Op::kAdd:
    case Op::kFlatten:
    case Op::kTokens:
    case Op::kRelu:
    case Op::kRelu6:
      break;
  }
  return j;
}

Node node_of(const Json& j, const std::string& where) {
  Node node;
  const std::string op = j.at("op").get<std::string>();
  bool known = false;
  for (Op candidate : kOps)
    if (op == op_name(candidate)) node.op = candidate, known = true;
  if (!known) fail_data({"network has an operator that is not known", where, "Conv, BatchNorm, …", op, ""});
  node.name = j.at("name").get<std::string>();
  node.prefix = j.value("parameter", node.name);
  node.inputs = j.at("inputs").get<std::vector<int>>();
  if (node.op == Op::kConv) {
    const auto kernel = j.at("kernel").get<std::array<int, 2>>();
    node.kernel_h = kernel[0], node.kernel_w = kernel[1];
    node.stride = j.at("stride").get<int>();
    node.padding = j.at("padding").get<int>();
    node.groups = j.at("groups").get<int>();
    node.shape = {j.at("channels").get<std::int64_t>()};
  }
  if (node.op == Op::kLinear) node.shape = {j.at("features").get<std::int64_t>()};
  node.bias = j.value("bias", false);
  node.epsilon = j.value("epsilon", node.epsilon);
  node.dropout = j.value("dropout", 0.0);
  node.whole = j.value("whole", false);
  node.heads = j.value("heads", 0);
  return node;
}

}  // namespace

std::string graph_json(const Graph& graph) {
  Json nodes = Json::array();
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) nodes.push_back(describe(graph.nodes[i]));
  return Json{{"architecture", graph.architecture},
              {"input", {graph.input_height, graph.input_width}},
              {"nodes", std::move(nodes)}}
      .dump();
}

Graph graph_from_json(const std::string& json, const std::string& where) {
  try {
    const Json j = Json::parse(json);
    const auto input = j.at("input").get<std::array<std::int64_t, 2>>();
    GraphBuilder builder(j.at("architecture").get<std::string>(), input[0], input[1]);
    int last = 0;
    for (const Json& entry : j.at("nodes")) {
      const Node node = node_of(entry, where);
      last = builder.repeat(node, node.inputs);
    }
    return builder.finish(last);
  } catch (const nlohmann::json::exception& e) {
    fail_data(
        {"description of the network cannot be read", where, "{\"architecture\",\"input\",\"nodes\"}", e.what(), ""});
  }
}

}  // namespace likeness::model
