// The builder's operators on tokens, and what only training runs.
#include "core/error.h"
#include "model/graph/graph.h"

namespace likeness::model {
namespace {

// Attention computes T x T products: more tokens than this no machine of today multiplies, and counts stay in 64 bits.
constexpr std::int64_t kMostTokens = 1 << 20;

}  // namespace

int GraphBuilder::dropout(const std::string& name, int x, double p, bool whole) {
  if (!(p >= 0 && p < 1)) refuse(name, "a probability in [0, 1)", std::to_string(p));
  Node node{.op = Op::kDropout, .name = name, .inputs = {x}};
  node.dropout = p;
  node.whole = whole;
  node.shape = shape(x);
  return add_node(std::move(node));
}

int GraphBuilder::tokens(const std::string& name, int x) {
  const std::vector<std::int64_t> in = shape(x);
  if (in.size() != 3) refuse(name, "feature maps [C,H,W]", shape_text(in));
  if (in[1] * in[2] > kMostTokens) refuse(name, "at most 2^20 tokens", shape_text(in));
  return add_node({.op = Op::kTokens, .name = name, .inputs = {x}, .shape = {in[1] * in[2], in[0]}});
}

std::vector<std::int64_t> GraphBuilder::token_shape(const std::string& name, int x) const {
  std::vector<std::int64_t> in = shape(x);
  if (in.size() != 2) refuse(name, "tokens [T,D]", shape_text(in));
  return in;
}

int GraphBuilder::positions(const std::string& name, const std::string& parameter, int x) {
  const std::vector<std::int64_t> in = token_shape(name, x);
  const Node node{.op = Op::kPositions, .name = name, .prefix = parameter, .inputs = {x}, .shape = in};
  const int index = add_node(node);
  declare(node, "", {1, in[0], in[1]});
  return index;
}

int GraphBuilder::mask_tokens(const std::string& name, int x, double p) {
  if (!(p >= 0 && p < 1)) refuse(name, "a fraction in [0, 1)", std::to_string(p));
  Node node{.op = Op::kMaskTokens, .name = name, .inputs = {x}, .shape = token_shape(name, x)};
  node.dropout = p;
  return add_node(std::move(node));
}

int GraphBuilder::restore_tokens(const std::string& name, const std::string& parameter, int x, int masked) {
  const std::vector<std::int64_t> in = token_shape(name, x);
  LIKENESS_ASSERT(graph_.nodes.at(masked).op == Op::kMaskTokens);
  if (shape(masked)[0] != in[0]) refuse(name, "as many tokens as were masked", shape_text(in));
  const Node node{.op = Op::kRestoreTokens, .name = name, .prefix = parameter, .inputs = {x, masked}, .shape = in};
  const int index = add_node(node);
  declare(node, "", {1, 1, in[1]}).training_only = true;
  return index;
}

int GraphBuilder::layer_norm(const std::string& prefix, int x, double epsilon) {
  if (!(epsilon > 0)) refuse(prefix, "a positive epsilon", std::to_string(epsilon));
  Node node{.op = Op::kLayerNorm, .name = prefix, .prefix = prefix, .inputs = {x}, .shape = token_shape(prefix, x)};
  node.epsilon = epsilon;
  const int index = add_node(node);
  declare(node, "weight", {node.shape[1]});
  declare(node, "bias", {node.shape[1]});
  return index;
}

int GraphBuilder::attention(const std::string& name, int x, int heads) {
  const std::vector<std::int64_t> in = token_shape(name, x);
  if (heads < 1 || in[1] % 3 != 0 || in[1] / 3 % heads != 0) {
    refuse(name, "tokens [T,3D] with heads that divide D", shape_text(in) + ", " + std::to_string(heads) + " heads");
  }
  Node node{.op = Op::kAttention, .name = name, .inputs = {x}};
  node.heads = heads;
  node.shape = {in[0], in[1] / 3};
  return add_node(std::move(node));
}

int GraphBuilder::relu6(const std::string& name, int x) {
  return add_node({.op = Op::kRelu6, .name = name, .inputs = {x}, .shape = shape(x)});
}

int GraphBuilder::relu(const std::string& name, int x) {
  return add_node({.op = Op::kRelu, .name = name, .inputs = {x}, .shape = shape(x)});
}

}  // namespace likeness::model
