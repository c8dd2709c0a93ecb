// What a recipe says about its loss, without Torch.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace likeness::train {

// One number that a recipe may say under `head.`; with `choices`, a word, and the number is its place among them.
struct LossKey {
  std::string name;
  double fallback = 0, low = 0, high = 0;
  std::string what;  // unit and consequence
  std::vector<std::string> choices = {};
};

// A loss by name, with the values of its keys; what is not said has its fallback.
struct LossOptions {
  std::string name = "cosface";
  std::map<std::string, double> values = {};
  double at(const std::string& key) const;
};

}  // namespace likeness::train
