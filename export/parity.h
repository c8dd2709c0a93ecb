// Proof that an ONNX file computes what its network computes: every engine against the f64 interpreter
// (docs/export.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/run_model.h"

namespace likeness::exporting {

struct ParityOptions {
  // Per picture. f32 rounding through 100 layers leaves 1 - 1e-9; a wrong epsilon or a lost bias costs 1e-4 and more.
  double min_cosine = 1 - 1e-6;
  // 1 and 2 find a batch baked into a Reshape, 7 an implementation that blocks by 4 or 8 and mishandles the rest.
  std::vector<std::int64_t> batches{1, 2, 7};
  int threads = 0;  // 0 = all cores this process may use
};

// One engine's answers, compared with the interpreter's.
struct EngineParity {
  std::string engine = "";
  bool independent = false;  // reads the ONNX bytes with code that is not ours
  bool ran = false;
  bool agrees = false;
  std::string why_not = "";       // when it did not run: the engine's own message
  double worst_cosine = 1;        // over all pictures and batch sizes
  double largest_difference = 0;  // |component - reference|, of raw embeddings
  double reference_scale = 0;     // largest |component| of the reference, to read the difference against
  std::string worst_case = "";    // "noise in a batch of 7"
};

struct ParityReport {
  ParityOptions options;
  std::vector<EngineParity> engines;
  std::size_t pictures = 0;
  // All engines that ran agree, and at least one of them is independent.
  bool passed() const;
  std::string failure() const;  // in words; empty when passed
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table
};

// Names with the pictures of one parity check: noise, zeros and synthetic face-like pictures as network inputs [3,H,W].
struct ParityPicture {
  std::string name;
  std::vector<float> input;
};
std::vector<ParityPicture> parity_pictures(const ModelContract& contract);

// `reference` is run by the interpreter; `onnx` by every engine this build knows. Each picture goes through each batch
// size. Errors: what the interpreter throws for a broken reference. An engine's refusal is a row, not an error.
ParityReport check_parity(const model::TrainedModel& reference, const std::filesystem::path& onnx,
                          const ParityOptions& options);

}  // namespace likeness::exporting
