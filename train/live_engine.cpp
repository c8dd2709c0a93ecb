#include "train/live_engine.h"

#include <torch/torch.h>

namespace likeness::train {

LiveEngine::LiveEngine(model::TorchModel& model, ModelContract contract, Group* group)
    : model_(model), contract_(std::move(contract)), group_(group), was_training_(model.is_training()) {
  model_.train(false);
}

LiveEngine::~LiveEngine() { model_.train(was_training_); }

std::vector<float> LiveEngine::run(const std::vector<float>& input, std::int64_t n) {
  const at::NoGradGuard no_grad;
  const model::Graph& graph = model_.graph();
  // from_blob wants a pointer it could write to; the network only reads.
  const at::Tensor images =
      at::from_blob(const_cast<float*>(input.data()), {n, 3, graph.input_height, graph.input_width}, at::kFloat);
  const at::Device device = model_.parameters().front().second.device();
  const at::Tensor out =
      model_.forward(images.to(device).contiguous(at::MemoryFormat::ChannelsLast)).cpu().contiguous();
  return {out.const_data_ptr<float>(), out.const_data_ptr<float>() + out.numel()};
}

}  // namespace likeness::train
