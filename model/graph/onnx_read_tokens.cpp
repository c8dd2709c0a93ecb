#include <charconv>
#include <cmath>
#include <cstring>

#include "model/graph/onnx_proto.h"
#include "model/graph/onnx_reader.h"

namespace likeness::model {

OnnxNode OnnxReader::follow(const OnnxNode& from, const std::string& edge, const char* op) {
  int found = -1, count = 0;
  const auto readers = readers_.find(edge);
  if (readers != readers_.end()) {
    for (int i : readers->second) {
      if (in_.node(i).op_type() != op) continue;
      found = i;
      ++count;
    }
  }
  if (count != 1) from.refuse(std::string("one ") + op + " that reads " + edge, std::to_string(count));
  if (!chained_.insert(found).second) from.refuse("a " + std::string(op) + " of its own", in_.node(found).name());
  const OnnxNode node(in_.node(found), found, where_);
  const std::string name = op;
  const bool unary = name == "ReduceMean" || name == "Sqrt" || name == "Softmax" || name == "Transpose";
  node.expect_inputs(unary ? 1 : 2, unary ? 1 : 2);
  return node;
}

void OnnxReader::expect_input(const OnnxNode& node, int i, const std::string& edge) const {
  if (node.input(i) != edge) node.refuse(edge + " as input " + std::to_string(i), node.input(i));
}

std::vector<std::int64_t> OnnxReader::ints(const OnnxNode& node, int i) const {
  const onnx::TensorProto& t = stored(node, i);
  if (t.data_type() != onnx::TensorProto::INT64) node.refuse("i64 sizes as input " + std::to_string(i), "another type");
  if (!t.has_raw_data()) return {t.int64_data().begin(), t.int64_data().end()};
  std::vector<std::int64_t> values(t.raw_data().size() / sizeof(std::int64_t));
  if (!values.empty()) std::memcpy(values.data(), t.raw_data().data(), values.size() * sizeof values[0]);
  return values;
}

void OnnxReader::expect_ints(const OnnxNode& node, int i, const std::vector<std::int64_t>& values) const {
  const std::vector<std::int64_t> got = ints(node, i);
  if (got != values) node.refuse(shape_text(values) + " as input " + std::to_string(i), shape_text(got));
}

void OnnxReader::expect_transpose(const OnnxNode& node, const std::vector<std::int64_t>& perm) const {
  if (node.list("perm") != perm) node.refuse("perm " + shape_text(perm), shape_text(node.list("perm")));
}

// Shortest decimals, as OnnxNode::real: 1e-05, not 9.99999974e-06.
double OnnxReader::scalar(const OnnxNode& node, int i) const {
  const WeightTensor t = parameter(node, i);
  if (t.elements() != 1) node.refuse("one value as input " + std::to_string(i), shape_text(t.shape));
  const double wide = t.as_double()[0];
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, static_cast<float>(wide)).ptr;
  double value = wide;
  std::from_chars(text, end, value);
  return value;
}

int OnnxReader::read_tokens(const OnnxNode& reshape, std::string* last) {
  reshape.expect_inputs(2, 2);
  reshape.expect_attributes({"allowzero"});
  if (reshape.integer("allowzero", 0) != 0) reshape.refuse("allowzero 0", "another value");
  const int x = edge(reshape, 0);
  const std::vector<std::int64_t> in = builder_.shape(x);
  if (in.size() != 3) reshape.refuse("feature maps that become tokens", shape_text(in));
  expect_ints(reshape, 1, {0, in[0], in[1] * in[2]});
  const OnnxNode turn = follow(reshape, reshape.output(), "Transpose");
  expect_transpose(turn, {0, 2, 1});
  *last = turn.output();
  return builder_.tokens(unique(turn.name()), x);
}

int OnnxReader::read_token_linear(const OnnxNode& matmul, std::string* last) {
  matmul.expect_inputs(2, 2);
  matmul.expect_attributes({});
  const int x = edge(matmul, 0);
  WeightTensor weight = parameter(matmul, 1);
  const std::int64_t inputs = builder_.shape(x).back();
  if (weight.shape.size() != 2 || weight.shape[0] != inputs)
    matmul.refuse("a weight [" + std::to_string(inputs) + ",any]", shape_text(weight.shape));
  weight = transposed(weight);
  const std::int64_t outputs = weight.shape[0];
  // A bias is an addition of a vector, and the product's only reader.
  const auto readers = readers_.find(matmul.output());
  bool bias = false;
  if (readers != readers_.end() && readers->second.size() == 1) {
    const onnx::NodeProto& next = in_.node(readers->second[0]);
    const auto added =
        next.op_type() == "Add" && next.input_size() == 2 ? initializers_.find(next.input(1)) : initializers_.end();
    bias = added != initializers_.end() && added->second->dims_size() == 1;
  }
  const std::string prefix = prefix_of(matmul);
  const int y = builder_.linear(prefix, x, outputs, bias);
  keep(matmul, prefix + ".weight", std::move(weight), {outputs, inputs});
  if (bias) {
    const OnnxNode add = follow(matmul, matmul.output(), "Add");
    keep(add, prefix + ".bias", parameter(add, 1), {outputs});
    *last = add.output();
  }
  return y;
}

int OnnxReader::read_layer_norm(const OnnxNode& mean, std::string* last) {
  const auto expect_mean = [](const OnnxNode& node) {
    node.expect_inputs(1, 1);
    node.expect_attributes({"axes", "keepdims"});
    const std::vector<std::int64_t> axes = node.list("axes");
    if ((axes != std::vector<std::int64_t>{-1} && axes != std::vector<std::int64_t>{2}) ||
        node.integer("keepdims", 1) != 1)
      node.refuse("the mean of each token, kept as an axis", "axes " + shape_text(axes));
  };
  expect_mean(mean);
  const int x = edge(mean, 0);
  const OnnxNode centred = follow(mean, mean.output(), "Sub");
  expect_input(centred, 0, mean.input(0));
  const OnnxNode squared = follow(mean, centred.output(), "Pow");
  if (scalar(squared, 1) != 2) squared.refuse("a square", "another power");
  const OnnxNode variance = follow(mean, squared.output(), "ReduceMean");
  expect_mean(variance);
  const OnnxNode padded = follow(mean, variance.output(), "Add");
  const OnnxNode normal = follow(mean, follow(mean, padded.output(), "Sqrt").output(), "Div");
  expect_input(normal, 0, centred.output());
  const OnnxNode scaled = follow(mean, normal.output(), "Mul"), shifted = follow(mean, scaled.output(), "Add");
  const std::string prefix = prefix_of(scaled);
  const int y = builder_.layer_norm(prefix, x, scalar(padded, 1));
  const std::vector<std::int64_t> shape{builder_.shape(x)[1]};
  keep(scaled, prefix + ".weight", parameter(scaled, 1), shape);
  keep(shifted, prefix + ".bias", parameter(shifted, 1), shape);
  *last = shifted.output();
  return y;
}

int OnnxReader::read_attention(const OnnxNode& split, std::string* last) {
  split.expect_inputs(1, 1);
  split.expect_attributes({"axis"});
  if (split.integer("axis", 0) != 2) split.refuse("q, k and v along axis 2", "another axis");
  const int x = edge(split, 0);
  const std::vector<std::int64_t> in = builder_.shape(x);
  if (in.size() != 2 || in[1] % 3 != 0) split.refuse("tokens [T,3D]", shape_text(in));
  const std::int64_t width = in[1] / 3;
  const OnnxNode parted = follow(split, split.output(0), "Reshape");
  const std::vector<std::int64_t> shape = ints(parted, 1);
  const bool divides = shape.size() == 4 && shape[0] == 0 && shape[1] == 0 && shape[2] > 0 && width % shape[2] == 0 &&
                       shape[3] == width / shape[2];
  if (!divides) parted.refuse("[0,0,heads,size] with heads that divide " + std::to_string(width), shape_text(shape));
  const auto turned = [&](const OnnxNode& heads, const std::vector<std::int64_t>& perm) {
    expect_ints(heads, 1, shape);
    const OnnxNode turn = follow(split, heads.output(), "Transpose");
    expect_transpose(turn, perm);
    return turn.output();
  };
  const OnnxNode products = follow(split, turned(parted, {0, 2, 1, 3}), "MatMul"),
                 scores = follow(split, products.output(), "Mul"), shares = follow(split, scores.output(), "Softmax"),
                 mixed = follow(split, shares.output(), "MatMul"), back = follow(split, mixed.output(), "Transpose"),
                 merged = follow(split, back.output(), "Reshape");
  const double scale = 1 / std::sqrt(static_cast<double>(shape[3]));
  if (!(std::abs(scalar(scores, 1) - scale) <= 1e-6 * scale))
    scores.refuse("1/sqrt(a head's size)", std::to_string(scalar(scores, 1)));
  expect_input(products, 1, turned(follow(split, split.output(1), "Reshape"), {0, 2, 3, 1}));
  expect_input(mixed, 1, turned(follow(split, split.output(2), "Reshape"), {0, 2, 1, 3}));
  if (shares.integer("axis", 0) != -1 && shares.integer("axis", 0) != 3) shares.refuse("axis -1", "another axis");
  expect_transpose(back, {0, 2, 1, 3});
  expect_ints(merged, 1, {0, 0, width});
  *last = merged.output();
  return builder_.attention(unique(merged.name()), x, static_cast<int>(shape[2]));
}

}  // namespace likeness::model
