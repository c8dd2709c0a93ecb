// The arguments MODEL and SET of the verbs: whatever they name, embeddings come out.
#pragma once

#include <functional>
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
  void add_run_options(CLI::App& app);  // only those that say how a model is run
  bool is_archive() const;
};

// Lists first, embeddings second: `plan` resolves them against the set (`source` is null without SET), so that a wrong list is
// found before a minute is spent, and returns the rows that are needed, rising; none means every picture. Only these are
// embedded. `flip`: what the convention implies unless --flip says otherwise; "" takes an archive as it is, and a model without.
struct Embedded {
  EmbeddingArchive archive;
  std::vector<std::int64_t> rows;  // of the set, that the archive holds; empty: all
  std::string engine;              // "openvino"; empty for an archive
};
using Plan = std::function<std::vector<std::int64_t>(const SetIndex& set, const data::FaceSource* source)>;
Embedded embed_planned(const ModelArgument& model, const std::string& flip, const CommonOptions& common, const Plan& plan);

// Pairs stored with the set are used when neither kind of trials is asked for.
struct EmbeddedTrials {
  EmbeddingArchive archive;
  Trials trials;       // rows of the archive
  std::string engine;  // "openvino"; empty for an archive
  std::int64_t pictures = 0;  // behind the rows, where these are templates
};
struct TrialsArgument {
  std::string pairs;   // --pairs FILE
  std::string trials;  // --trials all
  void add_options(CLI::App& app);
};
// What is to be compared, of a set, an archive (source null) or templates. kUsage: nothing said, or two things.
Trials resolve(const TrialsArgument& trials, const SetIndex& set, const data::FaceSource* source);
EmbeddedTrials embed_trials(const ModelArgument& model, const TrialsArgument& trials, const std::string& flip, const CommonOptions& common);

// Every picture of the set.
EmbeddingArchive embed_set(const ModelArgument& model, const CommonOptions& common, std::string* engine);

}  // namespace likeness::eval
