// What other exporters write beside a network's own operators: constants as nodes, arithmetic on shapes, identities;
// and the activations that are not PReLU.
#include <cmath>
#include <limits>

#include "model/graph/onnx_reader.h"

namespace likeness::model {

void OnnxReader::take_constants() {
  for (const onnx::NodeProto& node : in_.node()) {
    if (node.op_type() != "Constant" || node.output_size() != 1) continue;
    for (const onnx::AttributeProto& a : node.attribute()) {
      if (a.name() != "value" || !a.has_t()) continue;
      if (!initializers_.emplace(node.output(0), &a.t()).second)
        refuse_file("every constant once", node.output(0) + " twice");
    }
  }
}

bool OnnxReader::read_plumbing(const OnnxNode& node) {
  const std::string& op = node.op();
  if (op == "Constant") {
    if (initializers_.count(node.output()) == 0) node.refuse("a tensor as value", "another kind of constant");
    return true;
  }
  if (op == "Identity" || op == "Dropout") {  // exporters share equal parameters through identities
    node.expect_inputs(1, 3);
    const bool fresh = is_parameter(node, 0)
                           ? initializers_.emplace(node.output(), initializers_.at(node.input(0))).second
                           : edges_.emplace(node.output(), edge(node, 0)).second;
    if (!fresh) node.refuse("an output that no other node has", node.output());
    return true;
  }
  if (op == "Shape") {
    node.expect_inputs(1, 1);
    node.expect_attributes({});
    std::vector<std::int64_t> shape = builder_.shape(edge(node, 0));
    shape.insert(shape.begin(), kBatch);
    shapes_[node.output()] = shape;
    return true;
  }
  if (op == "Gather" && node.has_input(1) && shapes_.count(node.input(0)) > 0) {
    const std::vector<std::int64_t>& from = shapes_.at(node.input(0));
    const std::vector<std::int64_t> which = ints(node, 1);
    if (which.size() != 1 || which[0] < 0 || which[0] >= static_cast<std::int64_t>(from.size()))
      node.refuse("one place of a shape", shape_text(which));
    shapes_[node.output()] = {from[static_cast<std::size_t>(which[0])]};
    return true;
  }
  if (op == "Unsqueeze" && node.has_input(0) && shapes_.count(node.input(0)) > 0) {
    shapes_[node.output()] = std::vector<std::int64_t>(shapes_.at(node.input(0)));
    return true;
  }
  if (op == "Concat") {
    std::vector<std::int64_t> joined;
    for (int i = 0; node.has_input(i); ++i)
      for (std::int64_t n : sizes(node, i)) joined.push_back(n);
    shapes_[node.output()] = joined;
    return true;
  }
  return false;
}

std::vector<std::int64_t> OnnxReader::sizes(const OnnxNode& node, int i) const {
  const auto known = shapes_.find(node.input(i));
  return known != shapes_.end() ? known->second : ints(node, i);
}

int OnnxReader::read_reshape(const OnnxNode& reshape, std::string* last) {
  reshape.expect_inputs(2, 2);
  reshape.expect_attributes({"allowzero"});
  const int x = edge(reshape, 0);
  const std::vector<std::int64_t> to = sizes(reshape, 1);
  if (to.size() != 2) return read_tokens(reshape, last);
  // [batch,all]: the batch as it is, inferred, or the one picture of a file of fixed batch.
  const std::int64_t all = element_count(builder_.shape(x));
  if (to[0] == 0 && reshape.integer("allowzero", 0) != 0 && shapes_.count(reshape.input(1)) == 0)
    reshape.refuse("a batch that is not empty", "0 with allowzero");
  const bool rest = to[1] == all || (to[1] == -1 && to[0] != -1);
  if (!rest || (to[0] != kBatch && to[0] != -1 && to[0] != 1))
    reshape.refuse("tokens, or a vector " + shape_text({-1, all}), shape_text(to));
  if (builder_.shape(x).size() == 1) return x;
  return builder_.flatten(unique(reshape.name()), x);
}

int OnnxReader::read_clip(const OnnxNode& clip) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  clip.expect_inputs(1, 3);
  clip.expect_attributes({"min", "max"});  // before opset 11
  const double low = clip.has_input(1) ? scalar(clip, 1) : clip.real("min", -kInfinity),
               high = clip.has_input(2) ? scalar(clip, 2) : clip.real("max", kInfinity);
  const int x = edge(clip, 0);
  if (low == 0 && high == 6) return builder_.relu6(unique(clip.name()), x);
  if (low == 0 && high >= std::numeric_limits<float>::max()) return builder_.relu(unique(clip.name()), x);
  clip.refuse("a clip to 0 … 6, or from 0 on", std::to_string(low) + " … " + std::to_string(high));
}

int OnnxReader::read_relu(const OnnxNode& relu) {
  relu.expect_inputs(1, 1);
  relu.expect_attributes({});
  return builder_.relu(unique(relu.name()), edge(relu, 0));
}

}  // namespace likeness::model
