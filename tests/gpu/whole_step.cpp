#include <torch/torch.h>

#include "tests/gpu/checks.h"
#include "tests/gpu/training_step.h"

namespace likeness::gpu {
namespace {

constexpr std::int64_t kBatch = 8;

struct Learnt {
  std::vector<StepResult> steps;
  std::vector<at::Tensor> moved, centres;  // parameters and class centres after each step, less those before the first
  at::Tensor statistics;                   // batch norm's running ones
};

at::Tensor flat(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& t : tensors) rows.push_back(t.detach().cpu().to(at::kDouble).contiguous().flatten());
  return at::cat(rows);
}

at::Tensor parameters_of(model::TorchModel& network) {
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : network.parameters()) all.push_back(tensor);
  return flat(all);
}

Learnt learn(const std::string& network, const Place& place, at::Device device, at::ScalarType type) {
  const bool bf16 = type == at::kBFloat16;
  const int side = place.quick ? 32 : 112;
  const at::ScalarType dtype = bf16 ? at::kFloat : type;
  train::Classifier head({.classes = 1000, .dimension = 512, .loss = {"arcface"}, .bf16 = bf16}, dtype);
  const at::Tensor centres = head.weight().to(at::kDouble, false, true);
  head.to(device);
  TrainingStep step(make_network(network, side, dtype), head, device, bf16);
  const at::Tensor start = parameters_of(step.model());
  const auto [pixels, labels] = make_batch(kBatch, side, 1000);
  Learnt all;
  for (const std::int64_t number : {0, 1}) {
    all.steps.push_back(step.run(pixels, labels, number));
    all.moved.push_back(parameters_of(step.model()) - start);
    all.centres.push_back(head.weight().detach().cpu().to(at::kDouble) - centres);
  }
  std::vector<at::Tensor> statistics;
  for (const auto& [name, tensor] : step.model().tensors())
    if (name.ends_with("running_mean") || name.ends_with("running_var")) statistics.push_back(tensor);
  if (!statistics.empty()) all.statistics = flat(statistics);
  return all;
}

// Deep networks with batch norm pass rounding on in all directions: by direction. In bf16 the second step starts from
// weights that differ already, so the first alone.
void compare(Comparison& c, const Learnt& got, const Learnt& want, at::ScalarType type) {
  c.add_direction("gradient by the embeddings", got.steps.at(0).gradient, want.steps.at(0).gradient);
  for (std::size_t i = 0; i < (type == at::kBFloat16 ? 1 : want.moved.size()); ++i) {
    const std::string after = ", step " + std::to_string(i + 1);
    c.add_direction("movement of the parameters" + after, got.moved.at(i), want.moved.at(i));
    c.add_direction("movement of the centres" + after, got.centres.at(i), want.centres.at(i));
  }
}

}  // namespace

void check_whole_steps(Report& report, const Place& place) {
  std::vector<std::string> networks = {"mbf"};
  if (!place.quick || !place.is_reference()) networks.push_back("r18");
  if (!place.quick) networks.push_back("vit_t");
  for (const std::string& network : networks) {
    const std::string name = "steps of " + network;
    if (!report.wants(name)) continue;
    const Learnt want = learn(network, place, at::kCPU, at::kDouble);
    for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16}) {
      if (type == at::kDouble && place.is_reference()) continue;
      const std::string precision = precision_name(type);
      Learnt got;
      report.check(name + ": loss, embeddings", precision, limit_of(type, 1e-9, 1e-3, 1.4e-1), [&](Comparison& c) {
        got = learn(network, place, place.device, type);  // for all three
        c.add("loss", got.steps.at(0).loss, want.steps.at(0).loss, 1);
        c.add_distance("embeddings", got.steps.at(0).embeddings, want.steps.at(0).embeddings);
        if (type != at::kBFloat16 && want.statistics.defined())
          c.add_distance("running statistics", got.statistics, want.statistics);
      });
      report.check(name + ": 1 - cosine of what moved", precision, limit_of(type, 1e-12, 1e-3, 2e-1),
                   [&](Comparison& c) { compare(c, got, want, type); });
      report.state(name + ", twice, bit-equal", precision, [&](Comparison& c) {
        const Learnt again = learn(network, place, place.device, type);
        c.add_equal("parameters", again.moved.back(), got.moved.at(1));
        c.add_equal("centres", again.centres.back(), got.centres.at(1));
      });
    }
  }
}

}  // namespace likeness::gpu
