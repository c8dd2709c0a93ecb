// The arguments MODEL and SET of the verbs: whatever they name, embeddings come out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cli.h"
#include "core/embeddings.h"
#include "data/face_source.h"
#include "eval/trials.h"

namespace likeness::eval {

struct ModelArgument {
  std::string model;       // run folder, checkpoint, .safetensors, .onnx, or *.emb.h5
  std::string set;         // a set of faces; may be left out where the model is an archive
  std::string flip;        // "none", "sum", or "": as the verb's default, or as the archive has it
  std::string engine = "auto";
  std::string preprocess, geometry;  // "" unless said; for ONNX files without our metadata
  std::int64_t batch = 64;
  bool skip_bad = false, assume_aligned = false;

  void add_options(CLI::App& app, bool set_required);
  bool is_archive() const;
};

// Trials first, embeddings second: a wrong list of pairs is found before a minute is spent, and only the pictures it names are
// embedded. `flip`: what the convention implies unless --flip says otherwise; "" takes an archive as it is, and a model without.
// Pairs stored with the set are used when neither kind of trials is asked for.
struct EmbeddedTrials {
  EmbeddingArchive archive;
  Trials trials;       // rows of the archive
  std::string engine;  // "openvino"; empty for an archive
};
struct TrialsArgument {
  std::string pairs;   // --pairs FILE
  std::string trials;  // --trials all
  void add_options(CLI::App& app);
};
EmbeddedTrials embed_trials(const ModelArgument& model, const TrialsArgument& trials, const std::string& flip, const CommonOptions& common);

// Every picture of the set.
EmbeddingArchive embed_set(const ModelArgument& model, const CommonOptions& common, std::string* engine);

}  // namespace likeness::eval
