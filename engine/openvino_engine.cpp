#include <algorithm>
#include <cmath>
#include <openvino/openvino.hpp>

#include "core/error.h"
#include "engine/engines.h"

namespace likeness::engine {
namespace {

// Plugins are found once per process.
ov::Core& core() {
  static ov::Core instance;
  return instance;
}

// One stream puts all threads to one request; as many streams as threads give each request one thread.
ov::CompiledModel compile(const std::shared_ptr<ov::Model>& model, int threads, int streams = 1) {
  return core().compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32), ov::num_streams(streams),
                              ov::inference_num_threads(threads));
}

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine(const ModelSource& source, int threads) : contract_(source.contract()), batch_(source.fixed_batch()) {
    std::shared_ptr<ov::Model> model =
        source.foreign() ? core().read_model(source.path()) : core().read_model(source.onnx_bytes(), ov::Tensor());
    if (model->inputs().size() != 1 || model->outputs().size() != 1)
      throw std::runtime_error("the graph has " + std::to_string(model->inputs().size()) + " inputs and " +
                               std::to_string(model->outputs().size()) + " outputs, not one of each");
    shape_ = {1, 3, static_cast<std::size_t>(contract_.geometry.height),
              static_cast<std::size_t>(contract_.geometry.width)};
    if (batch_ > 0 && !free_batch(model, threads)) {
      ov::CompiledModel compiled = compile(model, threads, threads);
      for (int lane = 0; lane < threads; ++lane) lanes_.push_back(compiled.create_infer_request());
      return;
    }
    batch_ = -1;
    model->reshape(ov::PartialShape{-1, 3, contract_.geometry.height, contract_.geometry.width});
    request_ = compile(model, threads).create_infer_request();
  }

  std::string name() const override { return "openvino"; }
  const ModelContract& contract() const override { return contract_; }

  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override {
    if (batch_ > 0) return run_lanes(input, static_cast<std::size_t>(n));
    const ov::Tensor answer = infer(input.data(), n);
    return {answer.data<float>(), answer.data<float>() + answer.get_size()};
  }

 private:
  // A file that insists on its (small) batch is run in several lanes at once, which keeps all cores busy.
  std::vector<float> run_lanes(const std::vector<float>& input, std::size_t n) {
    const std::size_t b = static_cast<std::size_t>(batch_), d = static_cast<std::size_t>(contract_.dimension);
    const std::size_t picture = input.size() / n, chunks = (n + b - 1) / b, lanes = lanes_.size();
    std::vector<float> output(n * d), padded;
    const auto collect = [&](std::size_t chunk) {
      lanes_[chunk % lanes].wait();
      const float* answer = lanes_[chunk % lanes].get_output_tensor().data<float>();
      std::copy_n(answer, std::min(b, n - chunk * b) * d, output.data() + chunk * b * d);
    };
    shape_[0] = b;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      if (chunk >= lanes) collect(chunk - lanes);
      const float* in = input.data() + chunk * b * picture;
      if ((chunk + 1) * b > n) {
        padded.assign(in, input.data() + input.size());
        padded.resize(b * picture);
        in = padded.data();
      }
      lanes_[chunk % lanes].set_input_tensor(ov::Tensor(ov::element::f32, shape_, const_cast<float*>(in)));
      lanes_[chunk % lanes].start_async();
    }
    for (std::size_t chunk = chunks > lanes ? chunks - lanes : 0; chunk < chunks; ++chunk) collect(chunk);
    return output;
  }

  // Whether the graph still gives [n,D] for any n once its input does: a Reshape to constants may stand in the way.
  bool free_batch(const std::shared_ptr<ov::Model>& model, int threads) {
    const std::shared_ptr<ov::Model> trial = model->clone();
    try {
      trial->reshape(ov::PartialShape{2, 3, contract_.geometry.height, contract_.geometry.width});
      const ov::PartialShape out = trial->output().get_partial_shape();
      if (!out.is_static() || out[0].get_length() != 2 || out[1].get_length() != contract_.dimension) return false;
      return same_in_both(trial, model, threads);
    } catch (const ov::Exception&) {
      return false;
    }
  }

  // Two pictures at once give what each gives alone, at the batch the file was made for.
  bool same_in_both(const std::shared_ptr<ov::Model>& two, const std::shared_ptr<ov::Model>& fixed, int threads) {
    if (batch_ != 1) return false;  // rare: such a file keeps its batch
    const std::size_t pixels = shape_[1] * shape_[2] * shape_[3], d = static_cast<std::size_t>(contract_.dimension);
    std::vector<float> input(2 * pixels);
    for (std::size_t i = 0; i < input.size(); ++i)
      input[i] = static_cast<float>((i * 2654435761u >> 8) % 2001) / 1000.0f - 1;
    request_ = compile(two, threads).create_infer_request();
    const ov::Tensor answer = infer(input.data(), 2);
    const std::vector<float> together(answer.data<float>(), answer.data<float>() + answer.get_size());
    if (together.size() != 2 * d) return false;
    request_ = compile(fixed, threads).create_infer_request();
    for (std::size_t i = 0; i < 2; ++i) {
      const ov::Tensor alone = infer(input.data() + i * pixels, 1);
      float largest = 0, difference = 0;
      for (std::size_t k = 0; k < d; ++k) {
        largest = std::max(largest, std::abs(alone.data<float>()[k]));
        difference = std::max(difference, std::abs(alone.data<float>()[k] - together[i * d + k]));
      }
      if (!(difference <= 1e-3f * largest)) return false;
    }
    return true;
  }

  ov::Tensor infer(const float* in, std::int64_t n) {
    shape_[0] = static_cast<std::size_t>(n);
    // OpenVINO takes input memory by mutable pointer and only reads it.
    request_.set_input_tensor(ov::Tensor(ov::element::f32, shape_, const_cast<float*>(in)));
    request_.infer();
    return request_.get_output_tensor();
  }

  ModelContract contract_;
  std::int64_t batch_;
  ov::Shape shape_;
  ov::InferRequest request_;             // for any batch
  std::vector<ov::InferRequest> lanes_;  // for a fixed one
};

}  // namespace

std::unique_ptr<Engine> open_openvino(const ModelSource& source, int threads) {
  try {
    return std::make_unique<OpenVinoEngine>(source, threads);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    fail_environment({"OpenVINO cannot load this network", source.path().string(), "", one_line(e.what()), ""});
  }
}

}  // namespace likeness::engine
