// What the files that touch ONNX's protobufs share. Not included elsewhere: onnx headers clash with torch's.
#pragma once

#include <onnx/onnx_pb.h>

#include <span>
#include <string>

namespace likeness::model {

inline constexpr const char* kInputName = "data";  // hard-coded by some consumers, as is
inline constexpr const char* kOutputName = "fc1";  // this one
inline constexpr const char* kContractKey = "likeness.contract";
inline constexpr const char* kBackboneKey = "likeness.backbone";

// kData when the bytes are no ONNX model.
onnx::ModelProto parse_model(std::span<const std::byte> bytes, const std::string& where);

}  // namespace likeness::model
