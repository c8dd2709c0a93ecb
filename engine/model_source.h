// What a path given as a model holds, before an engine is chosen: its contract, and the graph in whichever form is
// asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "model/run_model.h"

namespace likeness::engine {

class ModelSource {
 public:
  // Reads the contract and checks input and output shapes; graphs are only built when asked for. Errors as open_engine.
  ModelSource(const std::filesystem::path& path, const EngineOptions& options);

  const std::filesystem::path& path() const { return path_; }
  const ModelContract& contract() const { return contract_; }
  bool foreign() const { return foreign_; }            // an ONNX file without our metadata
  std::int64_t fixed_batch() const { return batch_; }  // the batch the file insists on, or -1: any
  bool is_onnx_file() const { return !trained_.has_value(); }

  // The ONNX bytes: the file's own, or what export would write.
  std::string onnx_bytes() const;
  // Graph and weights; for an ONNX file kData naming the operator that our layer graph does not have.
  model::TrainedModel network() const;

 private:
  void open_onnx(const EngineOptions& options);
  void take_said_contract(const EngineOptions& options, std::int64_t height, std::int64_t width);
  void refuse_contradiction(const EngineOptions& options) const;

  std::filesystem::path path_;
  ModelContract contract_;
  bool foreign_ = false;
  std::int64_t batch_ = -1;
  std::optional<model::TrainedModel> trained_;  // a run folder, a checkpoint or .safetensors
};

// "arcface", "arcface:96", "unknown" or five points, for an input of height x width pixels (-1: not fixed by the file).
// kUsage when malformed or of another size.
FaceGeometry parse_geometry(const std::string& text, std::int64_t height, std::int64_t width, const std::string& where);

}  // namespace likeness::engine
