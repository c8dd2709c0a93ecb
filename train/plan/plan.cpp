#include "train/plan/plan.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/thread_pool.h"
#include "model/torch/convolution.h"
#include "train/device.h"
#include "train/input_geometry.h"
#include "train/plan/measure.h"
#include "train/starting_point.h"
#include "train/training_set.h"

namespace likeness::train {
namespace {

constexpr int kFieldSide = 112;  // pixels; of a set that is not here

Job size_up(const PlanRequest& request, Recipe& recipe) {
  if ((request.identities > 0) != (request.pictures > 0))
    fail_usage({.what = "the size of a set is told by two numbers",
                .where = "--identities, --pictures",
                .expected = "both or none",
                .got = request.identities > 0 ? "no --pictures" : "no --identities"});
  Job job{.identities = request.identities, .pictures = request.pictures, .bf16_is_native = model::bf16_is_native()};
  int side = recipe.input > 0 ? recipe.input : kFieldSide;
  if (job.identities == 0) {
    const TrainingSet set = open_training_set(recipe.data, recipe.exclude);
    job.identities = set.source->identities(), job.pictures = set.source->size();
    side = input_geometry(recipe, *set.source).width;
  }
  const std::int64_t of_a_step = recipe.batch * recipe.ranks;
  if (job.identities < std::max(2, recipe.ranks) || job.pictures < of_a_step)
    fail_usage({.what = "the set is too small for a step",
                .where = recipe.data,
                .expected = std::to_string(std::max(2, recipe.ranks)) + " identities and " + std::to_string(of_a_step) +
                            " pictures or more",
                .got = std::to_string(job.identities) + " and " + std::to_string(job.pictures)});
  complete_recipe(recipe, job.pictures, side);
  return job;
}

}  // namespace

Plan plan_run(const PlanRequest& request) {
  Config config = Config::load(request.config, request.assignments);
  Plan plan{.recipe = read_recipe(config), .job = {}, .memory = {}, .sent = {}, .advice = {}};
  plan.recipe.ranks = request.ranks;
  if (!plan.recipe.also.empty())
    fail_usage({.what = "a plan is made for one set and its classifier",
                .where = "also",
                .expected = "none",
                .got = std::to_string(plan.recipe.also.size()) + " further sets",
                .hint = "--set also=[] plans the run on `data` alone"});
  const at::Device device = open_device(request.device);
  ModelContract contract;
  const std::optional<StartingPoint> start = starting_point(plan.recipe, &contract);
  plan.job = size_up(request, plan.recipe);
  plan.job.threads = resolve_threads(request.threads);
  at::set_num_threads(plan.job.threads);
  const model::Graph graph =
      plan.recipe.backbone.name == kNetworkOfInit ? start->graph : model::build_backbone(plan.recipe.backbone);
  plan.memory = forecast_memory(plan.recipe, graph, plan.job);
  plan.sent = forecast_communication(plan.recipe, graph, plan.job);
  plan.advice = advise(plan.recipe, graph, plan.job, request.memory);
  const bool fits = request.memory == 0 || total(plan.memory) <= request.memory;
  if (request.seconds > 0 && fits) plan.measured = measure_step(plan.recipe, graph, plan.job, device, request.seconds);
  return plan;
}

}  // namespace likeness::train
