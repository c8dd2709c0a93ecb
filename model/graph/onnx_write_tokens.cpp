#include <charconv>
#include <cmath>

#include "model/graph/onnx_writer.h"

namespace likeness::model {

std::string OnnxWriter::part(const Node& of, const char* op, const std::string& what,
                             const std::vector<std::string>& inputs) {
  const std::string name = of.name + '/' + what;
  add(op, name, name, inputs);
  return name;
}

std::string OnnxWriter::constant(const std::vector<std::int64_t>& values) {
  std::string name = "shape";
  for (std::int64_t v : values) name += '_' + std::to_string(v);
  if (constants_.insert(name).second) {
    initializer(name, {static_cast<std::int64_t>(values.size())}, onnx::TensorProto::INT64)
        ->set_raw_data(values.data(), values.size() * sizeof values[0]);
  }
  return name;
}

std::string OnnxWriter::constant(double value) {
  const float narrow = static_cast<float>(value);
  char text[32];
  const std::string name = "value_" + std::string(text, std::to_chars(text, text + sizeof text, narrow).ptr);
  if (constants_.insert(name).second)
    initializer(name, {}, onnx::TensorProto::FLOAT)->set_raw_data(&narrow, sizeof narrow);
  return name;
}

// A size of 0 in Reshape's argument keeps what is there: the batch stays free.
void OnnxWriter::write_tokens(const Node& node, const std::string& edge) {
  const std::string flat = part(node, "Reshape", "flat", {in(node), constant({0, node.shape[1], node.shape[0]})});
  set_ints(add("Transpose", node.name, edge, {flat}), "perm", {0, 2, 1});
}

// MatMul has no transB, so the weight is stored [I,O].
std::string OnnxWriter::transposed_weight(const Node& of) {
  const std::string name = of.parameter("weight");
  const WeightTensor& t = weights_.at(name);
  const std::vector<double> wide = t.as_double();
  const std::int64_t outputs = t.shape[0], inputs = t.shape[1];
  std::vector<float> turned(wide.size());
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t i = 0; i < inputs; ++i) turned[i * outputs + o] = static_cast<float>(wide[o * inputs + i]);
  }
  initializer(name, {inputs, outputs}, onnx::TensorProto::FLOAT)
      ->set_raw_data(turned.data(), turned.size() * sizeof turned[0]);
  return name;
}

void OnnxWriter::write_token_linear(const Node& node, const std::string& edge) {
  const std::string weight = transposed_weight(node);
  if (!node.bias) {
    add("MatMul", node.name, edge, {in(node), weight});
    return;
  }
  const std::string product = part(node, "MatMul", "product", {in(node), weight});
  add("Add", node.name, edge, {product, parameter(node, "bias")});
}

// Opset 17 has LayerNormalization; in 13 this chain is what exporters write.
void OnnxWriter::write_layer_norm(const Node& node, const std::string& edge) {
  const auto mean = [&](const char* what, const std::string& of) {
    const std::string name = node.name + '/' + what;
    onnx::NodeProto* reduce = add("ReduceMean", name, name, {of});
    set_ints(reduce, "axes", {-1});
    set_int(reduce, "keepdims", 1);
    return name;
  };
  const std::string centred = part(node, "Sub", "centred", {in(node), mean("mean", in(node))});
  const std::string variance = mean("variance", part(node, "Pow", "squared", {centred, constant(2.0)}));
  const std::string padded = part(node, "Add", "padded", {variance, constant(node.epsilon)});
  const std::string normal = part(node, "Div", "normal", {centred, part(node, "Sqrt", "deviation", {padded})});
  const std::string scaled = part(node, "Mul", "scaled", {normal, parameter(node, "weight")});
  add("Add", node.name, edge, {scaled, parameter(node, "bias")});
}

void OnnxWriter::write_attention(const Node& node, const std::string& edge) {
  const std::int64_t size = node.shape[1] / node.heads;
  const std::string p = node.name + '/';
  onnx::NodeProto* split = add("Split", p + "split", p + "q", {in(node)});
  split->add_output(p + "k");
  split->add_output(p + "v");
  set_int(split, "axis", 2);
  // [B,T,D] -> [B,T,heads,size], then the axes in the order of `perm`.
  const auto heads = [&](const std::string& of, const std::string& what, const std::vector<std::int64_t>& perm) {
    const std::string parted = part(node, "Reshape", of + "_heads", {p + of, constant({0, 0, node.heads, size})});
    set_ints(add("Transpose", p + what, p + what, {parted}), "perm", perm);
    return p + what;
  };
  const std::string queries = heads("q", "queries", {0, 2, 1, 3}), keys = heads("k", "keys", {0, 2, 3, 1});
  const std::string products = part(node, "MatMul", "products", {queries, keys});
  const std::string scores =
      part(node, "Mul", "scores", {products, constant(1 / std::sqrt(static_cast<double>(size)))});
  set_int(add("Softmax", p + "shares", p + "shares", {scores}), "axis", -1);
  const std::string mixed = part(node, "MatMul", "mixed", {p + "shares", heads("v", "values", {0, 2, 1, 3})});
  set_ints(add("Transpose", p + "tokens", p + "tokens", {mixed}), "perm", {0, 2, 1, 3});
  add("Reshape", node.name, edge, {p + "tokens", constant({0, 0, node.shape[1]})});
}

void OnnxWriter::write_relu6(const Node& node, const std::string& edge) {
  add("Clip", node.name, edge, {in(node), constant(0.0), constant(6.0)});
}

}  // namespace likeness::model
