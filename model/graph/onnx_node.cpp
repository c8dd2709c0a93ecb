#include "model/graph/onnx_node.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace likeness::model {

OnnxNode::OnnxNode(const onnx::NodeProto& node, int index, const std::string& where)
    : node_(node),
      name_(node.name().empty() ? node.op_type() + '_' + std::to_string(index) : node.name()),
      where_(where) {
  if (!node.domain().empty() && node.domain() != "ai.onnx")
    refuse("an operator of ONNX itself", "domain " + node.domain());
  const int outputs = op() == "Split" ? 3 : 1;  // q, k and v
  if (node.output_size() != outputs) refuse(std::to_string(outputs) + " outputs", std::to_string(node.output_size()));
}

void OnnxNode::refuse(const std::string& expected, const std::string& got) const {
  fail_data({"ONNX node is not supported", where_ + ", node " + name_ + " (" + op() + ")", expected, got, ""});
}

void OnnxNode::expect_inputs(int fewest, int most) const {
  if (node_.input_size() >= fewest && node_.input_size() <= most) return;
  refuse("from " + std::to_string(fewest) + " to " + std::to_string(most) + " inputs",
         std::to_string(node_.input_size()));
}

void OnnxNode::expect_attributes(const std::set<std::string>& known) const {
  for (const onnx::AttributeProto& a : node_.attribute()) {
    if (known.count(a.name()) == 0) refuse("no attribute of this name", a.name());
  }
}

const onnx::AttributeProto* OnnxNode::attribute(const char* name) const {
  for (const onnx::AttributeProto& a : node_.attribute()) {
    if (a.name() == name) return &a;
  }
  return nullptr;
}

std::int64_t OnnxNode::integer(const char* name, std::int64_t fallback) const {
  const onnx::AttributeProto* a = attribute(name);
  return a == nullptr ? fallback : a->i();
}

double OnnxNode::real(const char* name, double fallback) const {
  const onnx::AttributeProto* a = attribute(name);
  if (a == nullptr) return fallback;
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, a->f()).ptr;
  double value = a->f();
  std::from_chars(text, end, value);
  return value;
}

std::string OnnxNode::text(const char* name, const std::string& fallback) const {
  const onnx::AttributeProto* a = attribute(name);
  return a == nullptr ? fallback : a->s();
}

std::int64_t OnnxNode::same(const char* name, int count, std::int64_t fallback) const {
  const onnx::AttributeProto* a = attribute(name);
  if (a == nullptr) return fallback;
  const auto equal = [&](std::int64_t v) { return v == a->ints(0); };
  if (a->ints_size() != count || !std::all_of(a->ints().begin(), a->ints().end(), equal)) {
    refuse(std::to_string(count) + " equal " + name, "others");
  }
  return a->ints(0);
}

std::vector<std::int64_t> OnnxNode::list(const char* name) const {
  const onnx::AttributeProto* a = attribute(name);
  return a == nullptr ? std::vector<std::int64_t>{} : std::vector<std::int64_t>(a->ints().begin(), a->ints().end());
}

}  // namespace likeness::model
