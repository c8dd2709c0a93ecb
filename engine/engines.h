// The engines by name. Each refuses with kEnvironment and its own library's message when it cannot load the graph.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "engine/model_source.h"

namespace likeness::engine {

// Always f32: OpenVINO's default may compute in bf16. A fixed batch is made dynamic where the graph allows it.
std::unique_ptr<Engine> open_openvino(const ModelSource& source, int threads);
// OpenCV DNN, the strictest importer. The number of threads is OpenCV's own, set for the whole process.
std::unique_ptr<Engine> open_opencv(const ModelSource& source, int threads);
// The f64 oracle behind the f32 interface.
std::unique_ptr<Engine> open_interpreter(const ModelSource& source, int threads);

// LibTorch lives in a module of its own, opened (RTLD_LOCAL) only when asked for, so that nothing else loads 400 MB of
// it. The module exports `likeness_open_torch_engine`, of this type. It may throw likeness::Error.
using TorchEngineFactory = Engine* (*)(const model::TrainedModel& model, int threads, const std::string& device);
// Program and module are built together: the module also exports a function that gives its version, and another one is
// refused.
inline constexpr const char* kTorchEngineFactory = "likeness_open_torch_engine";
inline constexpr const char* kTorchEngineVersion = "likeness_torch_engine_version";
std::unique_ptr<Engine> open_torch(const ModelSource& source, int threads, const std::string& device);
bool torch_module_exists();

// An exception's text as one line of at most 300 characters, so that an error stays readable.
std::string one_line(const std::string& text);

// Probes an opened engine (see open_engine); kEnvironment naming the file and what is wrong with its answers.
void probe_engine(Engine& engine, const std::filesystem::path& path);
// OpenVINO is lenient: it loads files that are not valid in their opset and computes something else. So OpenCV, the
// strict one, is asked for a second opinion on a foreign file; kEnvironment with both names when it loads the file and
// disagrees.
void cross_check(Engine& engine, const ModelSource& source, int threads);

}  // namespace likeness::engine
