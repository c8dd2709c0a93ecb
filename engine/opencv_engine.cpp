#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>

#include "core/error.h"
#include "engine/engines.h"

namespace likeness::engine {
namespace {

// OpenCV prints what it also throws; the exception is enough.
class Quiet {
 public:
  Quiet() : level_(cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT)) {
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
  }
  ~Quiet() {
    cv::redirectError(nullptr);
    cv::utils::logging::setLogLevel(level_);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  cv::utils::logging::LogLevel level_;
};

class OpenCvEngine : public Engine {
 public:
  OpenCvEngine(const ModelSource& source, int threads) : contract_(source.contract()), batch_(source.fixed_batch()) {
    const Quiet quiet;
    const std::string bytes = source.onnx_bytes();
    net_ = cv::dnn::readNetFromONNX(bytes.data(), bytes.size());
    if (net_.empty()) throw std::runtime_error("the graph is empty");
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    cv::setNumThreads(threads);
  }

  std::string name() const override { return "opencv"; }
  const ModelContract& contract() const override { return contract_; }

  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override {
    const Quiet quiet;
    const std::size_t picture = input.size() / static_cast<std::size_t>(n),
                      d = static_cast<std::size_t>(contract_.dimension);
    const std::size_t total = static_cast<std::size_t>(n),
                      batch = batch_ > 0 ? static_cast<std::size_t>(batch_) : total;
    std::vector<float> output;
    std::vector<float> padded(batch_ > 0 && total % batch != 0 ? batch * picture : 0);
    for (std::size_t i = 0; i < total; i += batch) {  // once, unless the file insists on its batch
      const std::size_t here = std::min(batch, total - i);
      const float* in = input.data() + i * picture;
      if (here < batch) in = std::copy_n(in, here * picture, padded.data()) - here * picture;
      const cv::Mat answer = forward(in, static_cast<std::int64_t>(batch));
      if (answer.total() != batch * d)
        fail_environment({"OpenCV's answer has the wrong size", "engine opencv",
                          fmt::format("{} values for {} pictures", batch * d, batch), std::to_string(answer.total()),
                          ""});
      output.insert(output.end(), answer.ptr<float>(), answer.ptr<float>() + here * d);
    }
    return output;
  }

 private:
  cv::Mat forward(const float* in, std::int64_t n) try {
    const int shape[4] = {static_cast<int>(n), 3, contract_.geometry.height, contract_.geometry.width};
    net_.setInput(cv::Mat(4, shape, CV_32F, const_cast<float*>(in)));  // copied by setInput
    const cv::Mat answer = net_.forward();
    return answer.isContinuous() ? answer : answer.clone();
  } catch (const cv::Exception& e) {
    fail_environment({"OpenCV cannot run this network", "engine opencv", "", one_line(e.what()), ""});
  }

  ModelContract contract_;
  std::int64_t batch_;
  cv::dnn::Net net_;
};

}  // namespace

std::unique_ptr<Engine> open_opencv(const ModelSource& source, int threads) {
  try {
    return std::make_unique<OpenCvEngine>(source, threads);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    fail_environment({"OpenCV DNN cannot load this network", source.path().string(), "", one_line(e.what()),
                      "OpenCV " CV_VERSION " is strict about newer operators; --engine openvino may run it"});
  }
}

}  // namespace likeness::engine
