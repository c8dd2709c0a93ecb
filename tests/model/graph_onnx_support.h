// What the tests of ONNX files share.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <span>
#include <string>

#include "core/error.h"
#include "model/graph/onnx.h"
#include "tests/model/reference.h"

namespace likeness::model {

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

inline onnx::ModelProto proto_of(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

struct Exported {
  Graph graph;
  Weights weights;
  std::string bytes;
};
inline Exported exported(const BackboneOptions& options, const std::map<std::string, std::string>& extra = {}) {
  Exported e;
  e.graph = build_backbone(options);
  e.weights = deterministic_fill(e.graph);
  e.bytes = to_onnx(e.graph, e.weights, arcface_contract(options.input), extra);
  return e;
}

inline std::string refusal(const std::string& bytes) {
  try {
    parse_onnx(bytes_of(bytes), "hostile.onnx");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    return e.what();
  }
  return "";
}

}  // namespace likeness::model
