// The loadable module's two symbols; engine/engines.h says what they are for.
#include "core/version.h"
#include "engine/engines.h"
#include "engine/torch_engine.h"

namespace {

const std::string& own_version() {
  static const std::string text = likeness::version();
  return text;
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] const char* likeness_torch_engine_version() { return own_version().c_str(); }

[[gnu::visibility("default")]] likeness::engine::Engine* likeness_open_torch_engine(
    const likeness::model::TrainedModel& model, int threads, const std::string& device) {
  return new likeness::engine::TorchEngine(model, threads, device);
}

}  // extern "C"
