// The interpreter's operators on tokens [B,T,D], in f64 (node.h has their definitions). Results do not depend on
// `threads`. Used by interpreter.cpp only.
#pragma once

#include <cstdint>
#include <vector>

#include "model/graph/node.h"

namespace likeness::model {

// maps [B,C,H,W] -> [B,HW,C]; `node.shape` = {HW,C}
void run_tokens(const Node& node, const std::vector<double>& x, std::int64_t batch, std::vector<double>* y);
// parameter [T,D]
void run_positions(const std::vector<double>& parameter, const std::vector<double>& x, std::vector<double>* y);
void run_layer_norm(const Node& node, const std::vector<double>& weight, const std::vector<double>& bias,
                    const std::vector<double>& x, int threads, std::vector<double>* y);
// x [B,T,3D]; `node.shape` = {T,D}
void run_attention(const Node& node, const std::vector<double>& x, std::int64_t batch, int threads,
                   std::vector<double>* y);
void run_relu6(const std::vector<double>& x, std::vector<double>* y);

}  // namespace likeness::model
