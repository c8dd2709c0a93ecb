#include "core/error.h"
#include "engine/engines.h"
#include "model/graph/interpreter.h"

namespace likeness::engine {
namespace {

class InterpreterEngine : public Engine {
 public:
  InterpreterEngine(const model::TrainedModel& network, ModelContract contract, int threads)
      : contract_(std::move(contract)), interpreter_(network.graph, network.weights), threads_(threads) {}

  std::string name() const override { return "interpreter"; }
  const ModelContract& contract() const override { return contract_; }
  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override {
    const std::vector<double> answer = interpreter_.run({input.begin(), input.end()}, n, threads_);
    return {answer.begin(), answer.end()};
  }

 private:
  ModelContract contract_;
  model::Interpreter interpreter_;
  int threads_;
};

}  // namespace

std::unique_ptr<Engine> open_interpreter(const ModelSource& source, int threads) {
  try {
    return std::make_unique<InterpreterEngine>(source.network(), source.contract(), threads);
  } catch (const Error& e) {
    // A damaged run is bad data; an ONNX file with operators that our graph does not have is merely not for this
    // engine.
    if (!source.foreign()) throw;
    fail_environment({"the interpreter cannot load this network", source.path().string(), "",
                      e.parts().what + ": " + e.parts().got, "--engine openvino runs it"});
  }
}

}  // namespace likeness::engine
