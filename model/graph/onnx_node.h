// One ONNX node being read: its attributes, and refusals that name it. Used by onnx_read*.cpp only.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace likeness::model {

// A view: the node and `where` must outlive it.
class OnnxNode {
 public:
  // `index` names nodes that have no name: "Conv_3".
  OnnxNode(const onnx::NodeProto& node, int index, const std::string& where);

  const std::string& name() const { return name_; }
  const std::string& op() const { return node_.op_type(); }
  const std::string& input(int i) const { return node_.input(i); }
  const std::string& output(int i = 0) const { return node_.output(i); }  // three of a Split, one of all others
  bool has_input(int i) const { return node_.input_size() > i && !node_.input(i).empty(); }

  // kData naming file, node, op, what would be supported and what is there.
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const;
  void expect_inputs(int fewest, int most) const;
  void expect_attributes(const std::set<std::string>& known) const;

  std::int64_t integer(const char* name, std::int64_t fallback) const;
  // Attributes are stored as f32; the result is the shortest decimal that gives that f32, which is what the author
  // wrote: 1e-05, not 9.99999974e-06.
  double real(const char* name, double fallback) const;
  std::string text(const char* name, const std::string& fallback) const;
  // A list of `count` equal values; others are refused.
  std::int64_t same(const char* name, int count, std::int64_t fallback) const;
  std::vector<std::int64_t> list(const char* name) const;  // empty when it is not there

 private:
  const onnx::AttributeProto* attribute(const char* name) const;
  const onnx::NodeProto& node_;
  std::string name_;
  const std::string& where_;
};

}  // namespace likeness::model
