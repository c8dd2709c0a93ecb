// What a run will need before it is started: memory per rank, bytes between ranks, steps, and what could be done
// better. Pure functions of the recipe, the network and the size of the set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "train/recipe.h"

namespace likeness::train {

// The size of the job. Recipe::ranks and Recipe::schedule.total are filled in (complete_recipe).
struct Job {
  std::int64_t identities = 0, pictures = 0;
  bool bf16_is_native = false;  // the CPU multiplies bf16 (model/torch/convolution.h)
  int threads = 1;              // of a rank
};

struct Part {
  std::string name;
  std::int64_t bytes = 0;
};
std::int64_t total(const std::vector<Part>& parts);

// Bytes that rank 0, which holds most classes, has beyond what the program holds before the network is made.
std::vector<Part> forecast_memory(const Recipe& recipe, const model::Graph& graph, const Job& job);

// Bytes that each rank sends in a step, by ring algorithms (a sum of n bytes over W ranks: 2 n (W-1)/W). Empty for one
// rank.
std::vector<Part> forecast_communication(const Recipe& recipe, const model::Graph& graph, const Job& job);

// The largest batch per rank that `bytes` of memory hold, 0 when not even 2 pictures fit.
std::int64_t largest_batch(Recipe recipe, const model::Graph& graph, const Job& job, std::int64_t bytes);

// Sentences, each with its reason; `bytes` 0: memory is not limited.
std::vector<std::string> advise(const Recipe& recipe, const model::Graph& graph, const Job& job, std::int64_t bytes);

}  // namespace likeness::train
