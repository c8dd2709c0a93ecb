// Compares one network of the reference values with the interpreter: output and every recorded tap.
#pragma once

#include <gtest/gtest.h>

#include "model/graph/interpreter.h"
#include "tests/model/reference.h"

namespace likeness::model {

// Modules of the reference are containers; the node that gives a container's output is its last.
inline int node_of_module(const Graph& graph, const std::string& module) {
  int found = -1;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const std::string& name = graph.nodes[i].name;
    if (name == module || name.starts_with(module + ".")) found = static_cast<int>(i);
  }
  return found;
}

// A tap is (mean, L2 norm, first four values) of a module's output for both pictures.
inline void expect_tap(const std::vector<double>& values, const std::vector<double>& tap, const std::string& what) {
  double sum = 0, squares = 0;
  for (double v : values) {
    sum += v;
    squares += v * v;
  }
  const double norm = std::sqrt(squares), count = static_cast<double>(values.size());
  EXPECT_NEAR(norm, tap.at(1), 1e-12 * tap.at(1)) << what;
  EXPECT_NEAR(sum / count, tap.at(0), 1e-12 * norm / std::sqrt(count)) << what;
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(values.at(i), tap.at(2 + i), 1e-11 * norm / std::sqrt(count)) << what;
}

inline void expect_reference_forward(const std::string& name) {
  const test::Npz reference(test::golden("forward.npz"));
  const Graph graph = build_backbone(reference_backbone(name));
  const Interpreter interpreter(graph, deterministic_fill(graph));
  std::vector<std::vector<double>> taps;
  const std::vector<double> output = interpreter.run(reference_input(0, 2), 2, 0, &taps);
  EXPECT_LE(relative_error(output, reference.at(name + ".f64").as_double()), 1e-12);
  int compared = 0;
  const std::string prefix = name + ".tap.";
  for (const auto& [key, array] : reference.arrays()) {
    if (!key.starts_with(prefix)) continue;
    const std::string module = key.substr(prefix.size());
    const int node = node_of_module(graph, module);
    ASSERT_GE(node, 0) << module;
    expect_tap(taps.at(node), array.as_double(), key);
    ++compared;
  }
  EXPECT_GE(compared, 8);
}

}  // namespace likeness::model
