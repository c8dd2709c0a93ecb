// A folded network as an ONNX file that tells nothing: parameters under numbers.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <string>

#include "model/graph/onnx.h"
#include "tests/model/folded.h"
#include "tests/model/reference.h"

namespace likeness::model {

// Nodes "Conv_0", "PRelu_1", …; initializers "459", "460", …; no metadata.
inline std::string anonymous_onnx(const Folded& folded) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(
      to_onnx(folded.graph, folded.weights, arcface_contract(static_cast<int>(folded.graph.input_width)), {})));
  model.clear_metadata_props();
  std::map<std::string, std::string> names;
  int number = 459;
  for (auto& t : *model.mutable_graph()->mutable_initializer()) {
    names[t.name()] = std::to_string(number++);
    t.set_name(names[t.name()]);
  }
  int index = 0;
  for (auto& node : *model.mutable_graph()->mutable_node()) {
    node.set_name(node.op_type() + "_" + std::to_string(index++));
    for (auto& input : *node.mutable_input())
      if (names.count(input) > 0) input = names[input];
  }
  return model.SerializeAsString();
}

}  // namespace likeness::model
