// One interface: pictures in, embeddings out, whatever runs the network (docs/engines.md).
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
  virtual std::string name() const = 0;  // "openvino", "opencv", "interpreter", "torch"
  virtual const ModelContract& contract() const = 0;
  // input: [N,3,H,W] f32 after preprocessing, any N >= 1 -> raw embeddings [N,D] f32, no flip. One call at a time.
  virtual std::vector<float> run(const std::vector<float>& input, std::int64_t n) = 0;
};

struct EngineOptions {
  std::string engine = "auto";  // auto: openvino, or torch for a CUDA device; or one by name, see engine_names()
  int threads = 0;              // 0 = all cores this process may use
  std::string device = "auto";  // "cpu", "cuda[:i]" (torch only) or "auto": the CPU
  std::optional<Preprocess> preprocess;  // for a foreign ONNX file without our metadata: its input values
  // Likewise, where the face stands in its input: "arcface" or "arcface:SIZE", "unknown", or five points "x,y x,y …" in
  // its pixels.
  std::optional<std::string> geometry;
};

// `model`: .onnx, run folder, checkpoint or .safetensors; weights of ours are handed to ONNX engines through memory.
// The engine answers a probe (zeros and noise, batches of 1 and 2) before it is returned: the right dimension, finite,
// the same alone and in a batch. A foreign file that OpenVINO runs is also put to OpenCV where that loads it, because
// an engine that accepts a file it does not understand gives plausible nonsense. Errors: kUsage when a foreign file's
// contract is not said, or what is said contradicts the file, or an unknown engine; kData when the file is damaged;
// kEnvironment when the engine is missing or cannot load the graph, with its own message.
std::unique_ptr<Engine> open_engine(const std::filesystem::path& model, const EngineOptions& options);
// Those compiled in, and "torch" where its module lies beside the program.
std::vector<std::string> engine_names();

// pixels [N,H,W,3] u8 RGB -> input [N,3,H,W] f32 by the contract; `mirror` flips horizontally first.
std::vector<float> to_input(const std::uint8_t* pixels, std::int64_t n, const ModelContract& contract, bool mirror);

struct EmbedOptions {
  std::string flip = "none";    // "sum": e = f(x) + f(mirrored x)
  std::int64_t batch = 64;      // large enough to keep the cores busy, small enough to stay in a few hundred MB
  int threads = 0;              // for decoding; inference has the engine's own
  bool skip_bad = false;        // an unreadable picture becomes a failed row instead of an error
  bool assume_aligned = false;  // pictures of unknown geometry but of the model's size are taken as they are
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

// Reads every picture of `source` (or `only_rows` of them, in that order) in the model's geometry and embeds it;
// decoding overlaps with inference. Rows, keys, subjects and attributes of the archive follow the pictures. A picture
// is decoded as it is when the source has the model's geometry, warped when it has landmarks or the source's five
// points are known, and taken as it is when neither side knows its points and the sizes are equal (a network trained so
// said so). Everything else is kData naming both geometries, unless assume_aligned says that it may pass. kData naming
// the picture when it cannot be read (unless skip_bad) or its embedding is not finite.
EmbeddingArchive embed(Engine& engine, const data::FaceSource& source, const EmbedOptions& options,
                       const std::vector<std::int64_t>* only_rows = nullptr);

// What embed() makes before it embeds: everything about the pictures `rows`, zeros for embeddings and norms.
EmbeddingArchive blank_archive(const Engine& engine, const data::FaceSource& source, const std::string& flip,
                               const std::vector<std::int64_t>& rows);

}  // namespace likeness::engine
