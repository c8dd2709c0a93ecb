#include "engine/engine.h"

#include <algorithm>

#include "core/config.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "core/text.h"
#include "engine/engines.h"

namespace likeness::engine {
namespace {

std::unique_ptr<Engine> open_named(const std::string& name, const ModelSource& source, int threads,
                                   const std::string& device) {
  if (name == "openvino") return open_openvino(source, threads);
  if (name == "opencv") return open_opencv(source, threads);
  if (name == "interpreter") return open_interpreter(source, threads);
  return open_torch(source, threads, device);
}

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names{"openvino", "opencv", "interpreter"};
  if (torch_module_exists()) names.push_back("torch");
  return names;
}

std::unique_ptr<Engine> open_engine(const std::filesystem::path& model, const EngineOptions& options) {
  const bool cuda = options.device.rfind("cuda", 0) == 0;
  if (!cuda && options.device != "auto" && options.device != "cpu")
    fail_usage({"unknown device", "--device", "cpu, cuda, cuda:0 or auto", options.device, ""});
  const std::vector<std::string> known{"openvino", "opencv", "interpreter", "torch"};
  const std::string name = options.engine != "auto" ? options.engine : cuda ? "torch" : "openvino";
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    const std::string guess = nearest(name, known);
    fail_usage({"unknown engine", "--engine", "auto, " + join_words(known), name,
                guess.empty() ? "" : "did you mean " + guess + "?"});
  }
  if (cuda && name != "torch")
    fail_usage({"engine " + name + " runs on the CPU", "--device " + options.device, "--engine torch",
                "--engine " + name, ""});

  const int threads = resolve_threads(options.threads);
  const ModelSource source(model, options);
  std::unique_ptr<Engine> engine = open_named(name, source, threads, options.device);
  probe_engine(*engine, model);
  if (source.foreign()) cross_check(*engine, source, threads);
  return engine;
}

std::string one_line(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (out.size() == 300) break;
    out += c == '\n' || c == '\t' ? ' ' : c;
  }
  return out;
}

}  // namespace likeness::engine
