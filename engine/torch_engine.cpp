#include "engine/torch_engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "model/torch/module.h"

namespace likeness::engine {
namespace {

// Larger batches win nothing and cost memory: 64 pictures of 112x112 hold about 100 MiB of mbf's feature maps.
constexpr std::int64_t kBatch = 64;

at::Device parse_device(const std::string& text) {
  if (text == "auto" || text == "cpu") return at::kCPU;
  if (!text.starts_with("cuda")) {
    fail_usage({.what = "unknown device",
                .where = "the LibTorch engine",
                .expected = "cpu, cuda, cuda:INDEX or auto",
                .got = text,
                .hint = ""});
  }
  try {
    const at::Device device(text);
    at::empty({1}, at::TensorOptions(at::kFloat).device(device));  // fails where there is none
    return device;
  } catch (const c10::Error& e) {
    fail_environment({.what = "the device cannot be used",
                      .where = text,
                      .expected = "a CUDA device and its libraries",
                      .got = e.what_without_backtrace(),
                      .hint = "scripts/setup.sh --gpu, or --device cpu"});
  }
}

}  // namespace

struct TorchEngine::State {
  ModelContract contract;
  model::TorchModel network;
  at::Device device;
};

TorchEngine::TorchEngine(const model::TrainedModel& model, int threads, const std::string& device)
    : state_(
          new State{model.contract, model::TorchModel(model.graph, model.weights, at::kFloat), parse_device(device)}) {
  if (threads > 0) at::set_num_threads(threads);
  state_->network.train(false);
  if (!state_->device.is_cpu()) state_->network.to(state_->device);
}

TorchEngine::~TorchEngine() = default;

const ModelContract& TorchEngine::contract() const { return state_->contract; }

std::vector<float> TorchEngine::run(const std::vector<float>& input, std::int64_t n) {
  const at::NoGradGuard no_grad;
  const model::Graph& graph = state_->network.graph();
  const std::int64_t picture = 3 * graph.input_height * graph.input_width;
  LIKENESS_ASSERT(n >= 1 && static_cast<std::int64_t>(input.size()) == n * picture);
  std::vector<float> out(n * graph.dimension);
  for (std::int64_t first = 0; first < n; first += kBatch) {
    const std::int64_t count = std::min(kBatch, n - first);
    const at::Tensor images = at::from_blob(const_cast<float*>(input.data()) + first * picture,
                                            {count, 3, graph.input_height, graph.input_width}, at::kFloat);
    const at::Tensor embeddings = state_->network.forward(images.to(state_->device)).to(at::kCPU).contiguous();
    std::memcpy(out.data() + first * graph.dimension, embeddings.const_data_ptr<float>(), embeddings.nbytes());
  }
  return out;
}

}  // namespace likeness::engine
