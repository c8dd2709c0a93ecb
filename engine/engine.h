// One interface: pictures in, embeddings out, whatever runs the network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/embeddings.h"
#include "core/preprocess.h"
#include "data/face_source.h"

namespace likeness::engine {

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string name() const = 0;                   // "openvino", "opencv", "interpreter", "torch"
  virtual const ModelContract& contract() const = 0;
  // input: [N,3,H,W] f32 after preprocessing, any N >= 1 -> raw embeddings [N,D] f32, no flip. One call at a time.
  virtual std::vector<float> run(const std::vector<float>& input, std::int64_t n) = 0;
};

struct EngineOptions {
  std::string engine = "auto";   // auto: openvino for .onnx and for our weights (exported in memory); or one by name
  int threads = 0;               // 0 = all cores
  std::string device = "auto";
  std::optional<Preprocess> preprocess;   // for a foreign ONNX file without our metadata
  std::optional<std::string> geometry;    // "arcface" or "arcface:112"; likewise
  bool fixed_batch_one = false;           // set by open_engine when the file's batch is fixed
};

// `model`: .onnx, run folder, checkpoint or .safetensors. kUsage when a foreign file's contract is not said; kEnvironment when
// the engine cannot load the graph (with the engine's own message).
std::unique_ptr<Engine> open_engine(const std::filesystem::path& model, const EngineOptions& options);
// Those compiled in or loadable here.
std::vector<std::string> engine_names();

// pixels [N,H,W,3] u8 RGB -> input [N,3,H,W] f32 by the contract; `mirror` flips horizontally first.
std::vector<float> to_input(const std::uint8_t* pixels, std::int64_t n, const ModelContract& contract, bool mirror);

struct EmbedOptions {
  std::string flip = "none";     // "sum": e = f(x) + f(mirrored x)
  std::int64_t batch = 64;
  int threads = 0;
  bool skip_bad = false;         // an unreadable picture becomes a failed row instead of an error
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

// Reads every picture of `source` in the model's geometry (decoding overlaps with inference) and embeds it. Refuses, naming
// both, when the geometries cannot be reconciled. kData when an embedding is not finite, naming the picture.
EmbeddingArchive embed(Engine& engine, const data::FaceSource& source, const EmbedOptions& options,
                       const std::vector<std::int64_t>* only_rows = nullptr);

}  // namespace likeness::engine
