#include "tests/gpu/training_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include "model/graph/backbones.h"

namespace likeness::gpu {

constexpr double kRate = .02, kDecay = 5e-4;

TrainingStep::TrainingStep(std::unique_ptr<model::TorchModel> model, train::Classifier& head, at::Device device,
                           bool bf16)
    : model_(std::move(model)), head_(head), device_(device) {
  model_->to(device);
  model_->set_bf16(bf16);
  model_->train(true);
  std::vector<train::Parameter> parameters;
  for (const auto& [name, tensor] : model_->parameters())
    parameters.push_back({.name = name, .value = tensor, .weight_decay = kDecay});
  optimizer_ = std::make_unique<train::Optimizer>(std::move(parameters), train::OptimizerOptions{});
}

StepResult TrainingStep::run(const at::Tensor& pixels, const at::Tensor& labels, std::int64_t number) {
  const std::vector<double> middle(3, 127.5);
  const at::Tensor images =
      model::normalise_pixels(pixels.to(device_), middle, middle, false, head_.weight().scalar_type());
  const at::Tensor embeddings = model_->forward(images);
  const train::RowRule rule = train::row_rule(optimizer_->options(), kRate, kDecay, number);
  const train::HeadStep head = head_.step(embeddings, labels, number, &rule);
  embeddings.backward(head.embeddings);
  optimizer_->step(kRate, number);
  return {head.loss, embeddings.detach(), head.embeddings};
}

std::unique_ptr<model::TorchModel> make_network(const std::string& name, int side, at::ScalarType type) {
  const model::Graph graph = model::build_backbone({.name = name, .input = side});
  return std::make_unique<model::TorchModel>(graph, model::initial_weights(graph, 1), type);
}

std::pair<at::Tensor, at::Tensor> make_batch(std::int64_t count, int side, std::int64_t classes) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const at::Tensor pixels = at::randint(0, 256, {count, side, side, 3}, generator, at::kLong).to(at::kByte);
  return {pixels, at::randint(0, classes, {count}, generator, at::kLong)};
}

}  // namespace likeness::gpu
